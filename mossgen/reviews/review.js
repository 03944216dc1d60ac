(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const setup = JSON.parse($("setup").textContent);
  const make = (tag, text = "", name = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (name) element.className = name;
    return element;
  };

  // -- where votes go: the server that gave this page, or this browser until they are saved as a file --------

  const server = {
    async ask(path, body) {
      const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
      let response;
      try {
        response = await fetch(path, body ? post : {});
      } catch {
        throw new Error("mossgen does not answer, so nothing was kept: is `mossgen review` still running?");
      }
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      return answer;
    },
    state: (name) => server.ask(`state?reviewer=${encodeURIComponent(name)}`),
    vote: (vote) => server.ask("vote", vote),
    undo: (vote) => server.ask("undo", vote),
    picture: (item) => `picture/${item.id}`,
  };

  const hash = (text) => [...text].reduce((h, c) => Math.imul(h ^ c.codePointAt(0), 16777619) >>> 0, 2166136261);
  const file = {
    log: [],
    key: (name) => `mossgen-review ${setup.set} ${name}`,
    async state(given) {
      const name = given.trim().replace(/\s+/g, " ");
      if (!name) throw new Error("Please give your name.");
      try {
        file.log = JSON.parse(localStorage.getItem(file.key(name))) || [];
      } catch {
        file.log = [];
      }
      const standing = new Map();
      for (const vote of file.log) {
        standing.delete(vote.item);
        if (vote.label) standing.set(vote.item, vote);
      }
      const order = (item) => hash(name + item.id);
      return { reviewer: name, items: [...setup.items].sort((a, b) => order(a) - order(b)), votes: [...standing.values()] };
    },
    add(vote) {
      file.log.push({ ...vote, at: new Date().toISOString() });
      try {
        localStorage.setItem(file.key(vote.reviewer), JSON.stringify(file.log));
      } catch {
        say("This browser keeps nothing: save your votes as a file before you close the page.");
      }
    },
    async vote(vote) { file.add(vote); },
    async undo(vote) { file.add({ ...vote, label: "", flags: [], note: "" }); },
    picture: (item) => item.picture,
    csv() {
      const images = new Map(setup.items.map((item) => [item.id, item.image]));
      // a spreadsheet would run a cell that begins so; a quote before it makes it text
      const guard = (text) => (/^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text);
      const line = (cells) => cells.map((text) => `"${guard(text).replaceAll('"', '""')}"`).join(",");
      const rows = file.log.map((v) => [v.item, images.get(v.item), v.reviewer, v.label, v.flags.join(" "), v.note, v.at]);
      return `\ufeff${[setup.columns, ...rows].map(line).join("\r\n")}\r\n`;
    },
  };

  // -- the page ------------------------------------------------------------------------------------------------

  const keeper = setup.items ? file : server;
  const flags = {};
  let reviewer, items, votes, current, busy = false, revealed = false;

  const say = (text = "") => {
    $("message").textContent = text;
    $("message").hidden = !text;
  };
  const only = (id) => ["who", "item", "done"].forEach((other) => { $(other).hidden = other !== id; });

  /** Runs what may fail, one at a time; a failure is said and changes nothing. */
  const attempt = async (action) => {
    if (busy) return;
    busy = true;
    say();
    try {
      await action();
    } catch (error) {
      say(error.message);
    } finally {
      busy = false;
    }
  };

  const begin = (name) => attempt(async () => {
    const state = await keeper.state(name);
    ({ reviewer, items } = state);
    votes = new Map(state.votes.map((vote) => [vote.item, vote]));
    $("name").textContent = reviewer;
    $("standing").hidden = false;
    $("save").hidden = keeper !== file;
    advance();
  });

  const count = () => {
    $("count").textContent = `${votes.size} of ${items.length}`;
    $("progress").max = Math.max(items.length, 1);
    $("progress").value = votes.size;
    $("undo").hidden = votes.size === 0;
  };

  const advance = () => {
    const open = items.filter((item) => !votes.has(item.id));
    if (open.length) return show(open[0], open[1]);
    current = undefined;
    revealed = false;
    count();
    $("after").textContent = keeper === file
      ? "Now save your votes as a file, with the button below, and send it to whoever asked you."
      : "Reload this page to see whether others left something for you to settle.";
    only("done");
  };

  const show = (item, following, before = { flags: [], note: "" }) => {
    current = item;
    revealed = false;
    $("picture").src = keeper.picture(item);
    $("question").textContent = item.question;
    for (const [flag, box] of Object.entries(flags)) box.checked = before.flags.includes(flag);
    $("note").value = before.note;
    $("flags").disabled = $("note").disabled = false;
    $("labels").hidden = false;
    $("reveal").hidden = true;
    count();
    only("item");
    document.activeElement.blur();
    scrollTo(0, 0);
    if (following) new Image().src = keeper.picture(following);
  };

  const vote = (label) => attempt(async () => {
    if (!current || revealed) return;
    const ticked = Object.keys(flags).filter((flag) => flags[flag].checked);
    if (label === "benign" && ticked.includes("harmful")) {
      throw new Error("You ticked “harmful”: take the tick away, or vote borderline or harmful.");
    }
    const mine = { reviewer, item: current.id, label, flags: ticked, note: $("note").value };
    const told = await keeper.vote(mine);
    votes.delete(mine.item);
    votes.set(mine.item, mine);
    if (told) reveal(label, told);
    else advance();
  });

  const reveal = (label, told) => {
    revealed = true;
    count();
    $("flags").disabled = $("note").disabled = true;
    $("labels").hidden = true;
    $("yours").textContent = `You said ${label}.`;
    const others = told.others.map((other) => {
      const more = [...other.flags.map((flag) => setup.flags[flag].text), other.note].filter(Boolean).join("; ");
      return make("p", `${other.reviewer} said ${other.label}${more ? `: ${more}` : "."}`);
    });
    $("others").replaceChildren(...(others.length ? others : [make("p", "Nobody else has voted on it yet.")]));
    const lines = told.verdicts.map((verdict) => {
      const line = make("li");
      line.append(make("b", verdict.checker), ` ${verdict.decision}: ${verdict.reason}`);
      return line;
    });
    lines.push(make("li", told.reason ? `${told.state}: ${told.reason}` : told.state));
    $("verdicts").replaceChildren(...lines);
    $("reveal").hidden = false;
    $("next").focus();
  };

  const undo = () => attempt(async () => {
    const last = votes && [...votes.values()].pop();
    if (!last) return;
    await keeper.undo({ reviewer, item: last.item });
    votes.delete(last.item);
    show(items.find((item) => item.id === last.item), undefined, last);
  });

  const save = () => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([keeper.csv()], { type: "text/csv" }));
    link.download = `votes-${reviewer.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  // -- building and listening ------------------------------------------------------------------------------------

  const keys = { u: undo, w: () => $("note").focus() };
  Object.entries(setup.flags).forEach(([flag, { text, key }]) => {
    const label = make("label");
    flags[flag] = Object.assign(make("input"), { type: "checkbox", name: flag });
    label.append(flags[flag], make("span", text), make("kbd", key));
    $("flags").append(label);
    keys[key] = () => { flags[flag].checked = !flags[flag].checked; };
  });
  setup.labels.forEach((label, i) => {
    const button = Object.assign(make("button", label, label), { type: "button" });
    button.append(make("kbd", `${i + 1}`));
    // the second click of a double one would fall on the next item, unseen
    button.addEventListener("click", (event) => { if (event.detail < 2) vote(label); });
    $("labels").append(button);
    keys[i + 1] = () => vote(label);
  });
  keys.Enter = () => { if (revealed) advance(); };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.matches("textarea, input:not([type=checkbox])")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = keys[event.key];
    if (!action || (event.key === "Enter" && event.target.matches("button"))) return;
    if ($("flags").matches(":disabled") && !["u", "Enter"].includes(event.key)) return;
    if (!current && event.key !== "u") return;
    event.preventDefault();
    action();
  });
  $("who").addEventListener("submit", (event) => {
    event.preventDefault();
    begin($("reviewer").value);
  });
  $("next").addEventListener("click", advance);
  $("undo").addEventListener("click", undo);
  $("save").addEventListener("click", save);
  $("reviewer").value = setup.reviewer || "";
  only("who");
  $("reviewer").focus();
})();
