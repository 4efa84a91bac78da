// The page: what is asked for, what state the conversation is in, what is said.

import { askForMicrophone, Sound } from "./audio.js";
import { Chat } from "./chat.js";
import { Lanes, loudness } from "./lanes.js";
import { groupVoices, ROLES } from "./personas.js";

const FRAME_MS = 80;
const PAUSE_FRAMES = 15; // without a word, after which the next one begins a new line
const SAMPLING = ["audio_temperature", "audio_topk", "text_temperature", "text_topk"];
const STATUS = {
  idle: "Ready when you are",
  asking: "Waiting for the microphone",
  connecting: "Connecting",
  preparing: "Preparing the persona",
  live: "Live",
  ended: "The conversation has ended",
  error: "Not connected",
};

const at = (id) => document.getElementById(id);
const lanes = new Lanes(at("lanes"));
let call = null; // the conversation that is going on

// --- Before ---

async function load() {
  const answer = await fetch("api/model");
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const model = await answer.json();
  at("model").textContent = model.name;
  document.title = `PersonaPlex · ${model.name}`;
  const kept = remembered();
  showVoices(model.voices, model.voices.includes(kept.voice) ? kept.voice : model.default_voice);
  at("role").value = kept.role ?? model.default_role;
  for (const name of SAMPLING) at(name).placeholder = model[name];
  for (const { name, text } of ROLES) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    button.onclick = () => {
      at("role").value = text;
      markPreset();
    };
    at("presets").append(button);
  }
  at("role").oninput = markPreset;
  markPreset();
}

function showVoices(names, chosen) {
  at("voices").hidden = !names.length;
  for (const { title, voices } of groupVoices(names)) {
    const group = Object.assign(document.createElement("div"), { className: "group" });
    group.append(Object.assign(document.createElement("span"), { textContent: title }));
    const chips = Object.assign(document.createElement("div"), { className: "chips" });
    for (const { name, label, spoken } of voices) {
      const chip = Object.assign(document.createElement("label"), { className: "chip", title: name });
      const radio = Object.assign(document.createElement("input"), {
        type: "radio", name: "voice", value: name, checked: name === chosen, ariaLabel: spoken,
      });
      chip.append(radio, Object.assign(document.createElement("span"), { textContent: label }));
      chips.append(chip);
    }
    group.append(chips);
    at("voices").append(group);
  }
}

function markPreset() {
  [...at("presets").children].forEach((button, i) =>
    button.setAttribute("aria-pressed", String(at("role").value.trim() === ROLES[i].text)),
  );
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem("persona")) ?? {};
  } catch {
    return {};
  }
}

function remember(voice, role) {
  try {
    localStorage.setItem("persona", JSON.stringify({ voice, role }));
  } catch {
    // a private window may keep nothing
  }
}

function wishes() {
  const query = { text_prompt: at("role").value };
  const voice = document.querySelector("input[name=voice]:checked")?.value;
  if (voice) query.voice_prompt = voice;
  for (const name of ["seed", ...SAMPLING]) if (at(name).value !== "") query[name] = at(name).value;
  remember(voice, query.text_prompt);
  return query;
}

// --- The conversation ---

class Call {
  constructor() {
    this.muted = false;
    this.agent = 0; // level of what is heard now
    this.played = { seconds: 0, gaps: 0, dropped: 0 };
    this.lost = 0; // frames that the server threw away
    this.line = null; // the utterance that is being spoken
    this.lastWord = -Infinity; // frame
  }

  async begin() {
    show("asking");
    this.stream = await askForMicrophone();
    if (this.over) return this.end();
    const rate = Number(new URLSearchParams(location.search).get("rate")) || undefined;
    this.sound = await Sound.open(
      this.stream,
      { onFrame: (pcm, level) => this.heard(pcm, level), onPlayed: (figures) => this.hear(figures) },
      rate,
    );
    if (this.over) return this.end();
    show("connecting");
    this.chat = new Chat(wishes(), {
      onOpen: () => show("preparing"),
      onReady: () => this.live(),
      onAudio: (pcm) => this.sound.play(pcm),
      onText: (piece) => this.say(piece),
      onMetadata: (event) => this.note(event),
      onEnd: (error) => this.end(error),
    });
  }

  live() {
    this.started = performance.now();
    show("live");
    at("mute").focus({ preventScroll: true });
  }

  /** The microphone's clock is the page's: every 80 ms one column of the lanes. */
  heard(pcm, level) {
    if (document.body.dataset.state !== "live" || this.over) return;
    this.chat.send(pcm);
    const user = this.muted ? 0 : loudness(level);
    lanes.add(loudness(this.agent), user, this.muted);
    this.frame = (this.frame ?? 0) + 1;
    if (this.frame % 5 === 0) this.figures(user);
  }

  hear(figures) {
    this.agent = figures.level;
    this.played = figures;
  }

  say(piece) {
    const now = this.chat.received;
    if (!this.line || now - this.lastWord > PAUSE_FRAMES) this.newLine();
    this.lastWord = now;
    const atEnd = at("words").scrollHeight - at("words").scrollTop - at("words").clientHeight < 40;
    this.line.textContent = (this.line.textContent + piece).trimStart();
    if (atEnd) at("words").scrollTop = at("words").scrollHeight;
  }

  newLine() {
    this.finishLine();
    at("words").querySelector(".empty")?.remove();
    const line = document.createElement("p");
    const time = Object.assign(document.createElement("time"), { textContent: clock(this.chat.received * FRAME_MS) });
    this.line = document.createElement("span");
    line.append(time, this.line);
    at("words").append(line);
  }

  /** Screen readers are given whole utterances. */
  finishLine() {
    if (this.line) at("spoken").textContent = this.line.textContent;
    this.line = null;
  }

  note(event) {
    if (event.event === "dropped") this.lost = event.total;
    if (event.event === "session") at("seed-used").textContent = event.seed;
  }

  figures(user) {
    const { chat, played } = this;
    at("clock").textContent = clock(performance.now() - this.started);
    at("agent-meter").setAttribute("aria-valuenow", Math.round(100 * loudness(this.agent)));
    at("user-meter").setAttribute("aria-valuenow", Math.round(100 * user));
    const underway = Math.max(0, chat.sent - this.lost - chat.received) * FRAME_MS;
    at("delay").textContent = `${Math.round(underway + 1000 * played.seconds)} ms`;
    at("network").textContent = chat.roundTrip === null ? "–" : `${Math.round(chat.roundTrip)} ms`;
    at("buffer").textContent = `${Math.round(1000 * played.seconds)} ms`;
    at("gaps").textContent = played.gaps;
    at("dropped").textContent = `${(this.lost * (FRAME_MS / 1000) + played.dropped).toFixed(1)} s`;
    at("frames").textContent = `${chat.sent} / ${chat.received}`;
    if (this.line && chat.received - this.lastWord > PAUSE_FRAMES) this.finishLine();
  }

  mute() {
    this.muted = !this.muted;
    this.sound.mute(this.muted);
    at("mute").setAttribute("aria-pressed", String(this.muted));
    at("mute").querySelector("span").textContent = this.muted ? "Muted" : "Mute";
    at("status").textContent = this.muted ? "Live, you are muted" : STATUS.live;
  }

  /** @param {string | null} error why it ended, null when somebody hung up */
  end(error = null) {
    if (this.sound) this.sound.close();
    else this.stream?.getTracks().forEach((track) => track.stop());
    if (this.over) return;
    this.over = true;
    this.chat?.close();
    this.finishLine();
    for (const id of ["agent-meter", "user-meter"]) at(id).setAttribute("aria-valuenow", 0);
    call = null;
    show(error ? "error" : "ended", error);
    at("talk").querySelector("span").textContent = "Talk again";
    at("talk").focus({ preventScroll: true });
  }
}

async function talk() {
  if (call) return;
  lanes.clear();
  at("words").replaceChildren(
    Object.assign(document.createElement("p"), { className: "empty", textContent: "The agent's words appear here." }),
  );
  at("spoken").textContent = "";
  at("clock").textContent = "0:00";
  at("mute").setAttribute("aria-pressed", "false");
  at("mute").querySelector("span").textContent = "Mute";
  const mine = (call = new Call());
  try {
    await mine.begin();
  } catch (error) {
    mine.end(error.message);
  }
}

function show(state, problem = null) {
  document.body.dataset.state = state;
  at("status").textContent = STATUS[state];
  at("problem").hidden = !problem;
  at("problem").textContent = problem ?? "";
  for (const field of at("persona").elements) field.disabled = !["idle", "ended", "error"].includes(state);
}

function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

at("talk").onclick = talk;
at("mute").onclick = () => call?.mute();
at("hang-up").onclick = () => call?.end();
at("persona").onsubmit = (event) => event.preventDefault();
addEventListener("pagehide", () => call?.end());
addEventListener("keydown", (event) => {
  if (event.code !== "Space" || event.repeat || document.body.dataset.state !== "live") return;
  if (event.target.closest("button, textarea, input, summary, [tabindex]")) return; // there, Space has its own meaning
  event.preventDefault();
  call.mute();
});
load().catch((error) => show("error", `The page could not be set up: ${error.message}.`));
