"""A choice of plugins, as plain values."""

QUICK = {
    "about": "the embedded models, and polite questions alone",
    "llm": {"plugin": "transformers"},
    "imager": {"plugin": "diffusers", "options": {"steps": 4}},
    "embedder": {"plugin": "open_clip"},
    "checkers": [{"plugin": "rules"}, {"plugin": "safety"}, {"plugin": "polite"}],
}
