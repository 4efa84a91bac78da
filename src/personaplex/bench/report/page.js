"use strict";
// The list of samples: chosen and sorted by what stands in the address, drawn ten at a time, played one at a time.

const DATA = JSON.parse(document.getElementById("data").textContent);
const PAGE = 10;
const form = document.querySelector(".filter");
const cards = document.getElementById("cards");
const more = document.getElementById("more");
const EVERY = "";

// Among equals each task has its turn, so that the first ten are not all of one kind.
const turns = new Map();
for (const sample of DATA.samples) {
  const peers = JSON.stringify([sample.system, sample.benchmark, sample.task, sample.badness]);
  sample.turn = turns.get(peers) ?? 0;
  turns.set(peers, sample.turn + 1);
}

let order = [];
let shown = 0;
let only = null; // the id of the one sample that a link asked for

/** An element with attributes and children; text only ever becomes a text node. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** @param {string} name of a metric @param {number|null} value */
const measured = (name, value) => {
  const [written, unit] = DATA.metrics[name];
  return value === null ? `${written} –` : `${written} ${number(value)}${unit && ` ${unit}`}`;
};
const plain = (name) => name.replaceAll("_", " ");
const number = (value) => (value === null ? "–" : Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 1 ? 3 : 2));
const unique = (values) => [...new Set(values)];

function fill(select, options, wanted) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  select.value = options.some(([value]) => value === wanted) ? wanted : options[0][0];
}

/** Offer what there is, keep what was chosen where it still exists. */
function offer(wanted) {
  const { system, benchmark, task, sort } = form.elements;
  fill(system, [...DATA.systems.map((name) => [name, name]), [EVERY, "every system"]], wanted.system ?? DATA.systems[0]);
  const theirs = DATA.samples.filter((sample) => !system.value || sample.system === system.value);
  fill(benchmark, [[EVERY, "every one"], ...unique(theirs.map((s) => s.benchmark)).map((name) => [name, plain(name)])], wanted.benchmark);
  const within = theirs.filter((sample) => !benchmark.value || sample.benchmark === benchmark.value);
  fill(task, [[EVERY, "every one"], ...unique(within.map((s) => s.task)).map((name) => [name, plain(name)])], wanted.task);
  const metrics = unique(within.filter((s) => !task.value || s.task === task.value).flatMap((s) => Object.keys(s.metrics)));
  fill(sort, [["", "worst first"], ...metrics.flatMap((name) => [[`-${name}`, `${DATA.metrics[name][0]}, highest first`], [`+${name}`, `${DATA.metrics[name][0]}, lowest first`]])], wanted.sort);
}

function choose() {
  const { system, benchmark, task, sort, problem } = form.elements;
  const fits = (sample) =>
    (!system.value || sample.system === system.value) &&
    (only ? sample.id === only : (!benchmark.value || sample.benchmark === benchmark.value) && (!task.value || sample.task === task.value)) &&
    (!problem.checked || sample.problem);
  const sign = sort.value[0] === "+" ? 1 : -1;
  const worth = sort.value ? (sample) => sample.metrics[sort.value.slice(1)] ?? null : (sample) => sample.badness;
  order = DATA.samples.filter(fits).sort((a, b) => {
    const [one, other] = [worth(a), worth(b)];
    if (one === null || other === null) return (one === null) - (other === null) || a.turn - b.turn; // the undefined come last
    return sign * (one - other) || a.turn - b.turn;
  });
  shown = 0;
  cards.replaceChildren();
  show();
}

function show() {
  const next = order.slice(shown, shown + PAGE);
  cards.append(...next.map((sample, at) => card(sample, shown + at + 1)));
  shown += next.length;
  more.hidden = shown >= order.length;
  document.getElementById("shown").textContent = order.length ? `${shown} of ${order.length} samples` : "No sample fits.";
}

function card(sample, rank) {
  const article = make("article", { class: "card sample", "aria-label": `${sample.system}: ${sample.id}` });
  const title = make("h3", {}, `${rank}. ${sample.system} · ${plain(sample.task)} `, make("small", {}, sample.name));
  article.append(make("header", {}, title, make("span", { class: "badness" }, `badness ${number(sample.badness)}`)));
  if (sample.problem) article.append(make("p", { class: "problem" }, sample.problem));
  const metrics = Object.entries(sample.metrics);
  if (metrics.length) article.append(make("ul", { class: "metrics" }, ...metrics.map(([name, value]) => make("li", {}, measured(name, value)))));
  const words = [];
  const said = make("dl", { class: "said" }, ...speaker("user", "User", sample.user_words, words), ...speaker("agent", "Agent", sample.words, words));
  article.append(...player(sample, words), said);
  const notes = [...Object.entries(sample.notes), ...sample.events.map((event) => [event.kind, when(event)])];
  if (notes.length) article.append(make("dl", { class: "notes" }, ...notes.flatMap(([name, text]) => [make("dt", {}, plain(name)), make("dd", {}, text)])));
  return article;
}

function when(event) {
  const span = event.end === null ? `${event.start.toFixed(2)} s` : `${event.start.toFixed(2)} to ${event.end.toFixed(2)} s`;
  return event.note ? `${span}: ${event.note}` : span;
}

/** A speaker's transcript; each word goes to `words` with its time. */
function speaker(kind, name, said, words) {
  if (!said.length) return kind === "agent" ? [make("dt", { class: kind }, name), make("dd", {}, make("small", {}, "no words heard"))] : [];
  const text = make("dd");
  for (const [word, start, end] of said) {
    const span = make("span", {}, word);
    words.push({ span, start, end });
    text.append(span, " ");
  }
  return [make("dt", { class: kind }, name), text];
}

function player(sample, words) {
  const cursor = make("i", { hidden: "" });
  const picture = make("img", { src: sample.picture, alt: sample.alt, width: sample.width, height: DATA.height, loading: "lazy", decoding: "async" });
  const frame = make("div", {}, picture, cursor);
  const timeline = make("div", { class: "timeline", tabindex: "0", role: "group", "aria-label": "Timeline" }, frame);
  if (!sample.sound) return [timeline, make("p", { class: "help" }, "No sound to play.")];
  const audio = make("audio", { src: sample.sound, controls: "", preload: "none", "aria-label": `${sample.system}, ${sample.id}: user left, agent right` });
  const draw = () => {
    const now = audio.currentTime;
    const left = (now / sample.seconds) * frame.clientWidth;
    cursor.hidden = false;
    cursor.style.left = `${left}px`;
    for (const word of words) word.span.classList.toggle("now", word.start <= now && now < word.end);
    if (!audio.paused && (left < timeline.scrollLeft || left > timeline.scrollLeft + timeline.clientWidth)) timeline.scrollLeft = left - 30;
  };
  const follow = () => {
    draw();
    if (!audio.paused && audio.isConnected) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    follow();
  });
  audio.addEventListener("seeked", draw);
  frame.addEventListener("click", (event) => {
    const box = frame.getBoundingClientRect();
    audio.currentTime = Math.max(0, ((event.clientX - box.left) / box.width) * sample.seconds);
    draw();
  });
  return [timeline, audio];
}

/** Follow `#samples?system=…`: choose, and go there. */
function go() {
  if (!location.hash.startsWith("#samples")) return false;
  const wanted = Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? ""));
  only = wanted.id ?? null;
  form.elements.problem.checked = false;
  offer(wanted);
  choose();
  const top = document.getElementById("samples");
  top.scrollIntoView();
  top.focus({ preventScroll: true });
  return true;
}

form.addEventListener("change", () => {
  only = null;
  const { system, benchmark, task, sort } = form.elements;
  const wanted = { system: system.value, benchmark: benchmark.value, task: task.value, sort: sort.value };
  offer(wanted);
  history.replaceState(null, "", `#samples?${new URLSearchParams(wanted)}`);
  choose();
});
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", show);
addEventListener("hashchange", go);
if (!go()) {
  offer({});
  choose();
}
