"""Tiny models with random weights of transformers' real classes, saved as their hubs' folders are."""

from pathlib import Path
from typing import Any

WORDS = "A careful reader looks at the picture and the question. Is it harmless? yes no unsure safe unsafe"
# as Gemma's and Llama 3.2 Vision's: a system turn is refused, and turns take turns
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ '<start>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ IMAGE }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{{ '<end>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start>assistant\n' }}{% endif %}"
)


def tokenizer(*special: str, **named: str) -> Any:
    """A byte-level BPE of a few hundred tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    extra = ["<pad>", "<bos>", "<eos>", "<start>", "<end>", *special]
    made.train_from_iterator(
        [WORDS],
        trainers.BpeTrainer(vocab_size=400, special_tokens=extra, initial_alphabet=alphabet, show_progress=False),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>",
        extra_special_tokens=named or list(special),
    )  # fmt: skip


def template(image: str) -> str:
    """The chat template, with what stands for a picture."""
    return TEMPLATE.replace("IMAGE", repr(image))


TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096,
}  # fmt: skip


def llama(folder: Path) -> Path:
    """A model of text alone."""
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer()
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **TEXT)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def llava(folder: Path) -> Path:
    """LLaVA: CLIP's vision tower and a Llama."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.manual_seed(0)
    words = tokenizer("<image>")
    vision = CLIPVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                              image_size=32, patch_size=8, projection_dim=32)  # fmt: skip
    text = LlamaConfig(vocab_size=len(words), pad_token_id=0, bos_token_id=1, eos_token_id=2, **TEXT)
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )  # fmt: skip
    network = LlavaForConditionalGeneration(config).to(torch.bfloat16)
    network.generation_config.update(do_sample=True, temperature=1.5, top_k=50)  # what hubs' folders like to say
    network.save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    LlavaProcessor(
        pictures, words, patch_size=8, vision_feature_select_strategy="default", image_token="<image>",
        num_additional_image_tokens=1, chat_template=template("<image>"),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: pictures of any size, positions in three axes."""
    import torch
    from transformers import (
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    torch.manual_seed(0)
    words = tokenizer("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    ids = {name: words.convert_tokens_to_ids(f"<|{name}|>") for name in
           ("vision_start", "vision_end", "image_pad", "video_pad")}  # fmt: skip
    config = Qwen2VLConfig(
        text_config={**TEXT, "vocab_size": len(words), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}},
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2,
                       "patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2},
        image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
    )  # fmt: skip
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"patch_size": 8, "merge_size": 2, "temporal_patch_size": 2, "min_pixels": 32 * 32, "max_pixels": 64 * 64}
    Qwen2VLProcessor(
        Qwen2VLImageProcessor(**sizes), words, Qwen2VLVideoProcessor(**sizes),
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def idefics3(folder: Path) -> Path:
    """Idefics 3, as SmolVLM is: pictures cut into tiles, which the processor writes out as tokens."""
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3ImageProcessor, Idefics3Processor

    torch.manual_seed(0)
    words = tokenizer("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>")
    config = Idefics3Config(
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(words), "pad_token_id": 0,
                     "bos_token_id": 1, "eos_token_id": 2},
        vision_config={"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
                       "image_size": 32, "patch_size": 8},
        image_token_id=words.convert_tokens_to_ids("<image>"), scale_factor=2, pad_token_id=0,
    )  # fmt: skip
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    pictures = Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    Idefics3Processor(pictures, words, image_seq_len=4, chat_template=template("<image>")).save_pretrained(folder)
    return folder


def shieldgemma2(folder: Path) -> Path:
    """ShieldGemma 2: SigLIP's vision tower, a Gemma 3, and the policies in its processor."""
    import torch
    from transformers import (
        Gemma3ImageProcessor,
        Gemma3TextConfig,
        ShieldGemma2Config,
        ShieldGemma2ForImageClassification,
        ShieldGemma2Processor,
        SiglipVisionConfig,
    )

    torch.manual_seed(0)
    named = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    words = tokenizer(*named.values(), "Yes", "No", **named)
    text = Gemma3TextConfig(**TEXT, vocab_size=len(words), head_dim=8, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    vision = SiglipVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                                image_size=32, patch_size=8)  # fmt: skip
    config = ShieldGemma2Config(
        text_config=text, vision_config=vision, mm_tokens_per_image=4,
        yes_token_index=words.convert_tokens_to_ids("Yes"), no_token_index=words.convert_tokens_to_ids("No"),
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
    )  # fmt: skip
    network = ShieldGemma2ForImageClassification(config)
    torch.nn.init.normal_(
        network.model.model.multi_modal_projector.mm_input_projection_weight
    )  # zeros: it sees nothing
    network.to(torch.bfloat16).save_pretrained(folder)
    ShieldGemma2Processor(
        Gemma3ImageProcessor(size={"height": 32, "width": 32}), words, chat_template=template("<start_of_image>"),
        image_seq_length=4,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def stable_diffusion(folder: Path) -> Path:
    """Stable Diffusion: a text encoder, a U-Net and an autoencoder, of 64 x 64 pixels where none are asked for."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    words = tokenizer()
    words.model_max_length = 77
    text = CLIPTextConfig(vocab_size=len(words), hidden_size=32, intermediate_size=37, num_attention_heads=4,
                          num_hidden_layers=2, pad_token_id=0, bos_token_id=1, eos_token_id=2)  # fmt: skip
    network = UNet2DConditionModel(
        sample_size=32, block_out_channels=(4, 8), norm_num_groups=4, layers_per_block=1, cross_attention_dim=32,
        attention_head_dim=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    pictures = AutoencoderKL(block_out_channels=(4, 8), norm_num_groups=4, latent_channels=4,
                             down_block_types=("DownEncoderBlock2D",) * 2,
                             up_block_types=("UpDecoderBlock2D",) * 2)  # fmt: skip
    StableDiffusionPipeline(
        vae=pictures, text_encoder=CLIPTextModel(text), tokenizer=words, unet=network,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder
