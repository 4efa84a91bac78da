// A conversation from the first click to the recording: microphone, connection, words, lanes. Knows no page.

import { microphone } from "../audio/microphone";
import { Recorder } from "../audio/wav";
import type { Heard } from "../audio/worklet";
import { FRAME_SECONDS, LINE_PAUSE } from "../frames";
import { Store } from "../store";
import { Chat, type Ending, type ServerEvent } from "./chat";
import type { Conversation } from "./history";
import { Lanes } from "./lanes";
import type { Side } from "./turns";

export type State = "asking" | "connecting" | "queued" | "preparing" | "live" | "reconnecting" | "over";

export interface Line {
  side: Side | "note";
  start: number; // frame
  end: number; // frame of its last piece
  text: string;
  done: boolean;
}

export interface CallState {
  state: State;
  position: number | null; // in the queue
  muted: boolean;
  lines: Line[];
  notice: string | null;
  model: string;
  voice: string | null;
  seed: number | null;
  recording: boolean; // by the server
  hears: boolean;
  limit: number | null; // s
  strained: boolean; // the server throws sound away
}

export interface Figures {
  seconds: number;
  delay: number; // ms
  network: number | null; // ms
  buffer: number; // ms
  gaps: number;
  dropped: number; // s
  sent: number; // frames
  received: number;
  tick: number | null; // ms
  late: number | null;
  format: string;
}

/** How it ended: a whole conversation, or a reason why there was none. */
export interface Result {
  conversation: Conversation | null;
  audio: Blob | null;
  problem: string | null;
}

export interface Wishes {
  query: Record<string, string>;
  opus: boolean;
  model: string;
  role: string;
  voice: string | null;
}

const SHORTEST = 1; // s; less was no conversation
const CALM_FRAMES = 100; // without a loss, after which the server is not called strained any more
const WAITS = [0.5, 1, 2, 4, 8]; // s before each attempt to reconnect

export class Call {
  readonly state: Store<CallState>;
  readonly figures = new Store<Figures>({
    seconds: 0,
    delay: 0,
    network: null,
    buffer: 0,
    gaps: 0,
    dropped: 0,
    sent: 0,
    received: 0,
    tick: null,
    late: null,
    format: "",
  });
  readonly lanes = new Lanes();
  private readonly recorder = new Recorder();
  private readonly started = Date.now();
  private chat: Chat | null = null;
  private opus: boolean;
  private attempts = 0;
  private lost = 0; // frames that the server threw away
  private lostAt = -Infinity; // frame
  private ending = false; // the server has said that it will end
  private over = false;

  constructor(
    private readonly wishes: Wishes,
    private readonly onOver: (result: Result) => void,
  ) {
    this.opus = wishes.opus;
    const { model, voice } = wishes;
    this.state = new Store<CallState>({
      state: "asking",
      position: null,
      muted: false,
      lines: [],
      notice: null,
      model,
      voice,
      seed: null,
      recording: false,
      hears: false,
      limit: null,
      strained: false,
    });
  }

  async begin(): Promise<void> {
    try {
      await microphone.open();
    } catch (error) {
      return this.finish((error as Error).message);
    }
    if (this.over) return;
    microphone.listeners.add(this.hear);
    this.connect();
  }

  mute(): void {
    const muted = !this.state.get().muted;
    microphone.sound?.mute(muted);
    this.state.set({ muted });
  }

  /** Hang up, or give up waiting. */
  hangUp(): void {
    this.finish(null);
  }

  private connect(): void {
    if (this.over) return;
    if (this.state.get().state !== "reconnecting") this.state.set({ state: "connecting" });
    try {
      this.chat = new Chat(this.wishes.query, this.opus, {
        onOpen: () => this.state.get().state === "connecting" && this.state.set({ state: "preparing" }),
        onReady: () => this.live(),
        onAudio: (pcm) => microphone.sound?.play(pcm),
        onText: (piece) => this.say("agent", piece),
        onEvent: (event) => this.note(event),
        onEnd: (ending) => this.ended(ending),
      });
    } catch (error) {
      this.finish((error as Error).message);
    }
  }

  private live(): void {
    if (this.attempts) this.write("note", "Connected again. The agent does not remember what was said before.");
    this.attempts = 0;
    this.lost = 0;
    this.state.set({ state: "live", notice: null, position: null });
  }

  /** The microphone's clock is the page's: every 80 ms one column of the lanes. */
  private hear = (heard: Heard): void => {
    const { state, muted } = this.state.get();
    if (state !== "live" || this.over) return;
    this.chat!.send(heard.user);
    this.recorder.add(heard.user, heard.agent);
    this.lanes.add(heard.userLevel, heard.agentLevel, muted);
    if (this.recorder.frames % 5 === 0) this.measure(heard);
  };

  private measure(heard: Heard): void {
    const { sent, received, roundTrip, format } = this.chat!;
    const underway = Math.max(0, sent - this.lost * FRAME_SECONDS - received);
    this.figures.set({
      seconds: this.recorder.frames * FRAME_SECONDS,
      delay: 1000 * (underway + heard.buffer),
      network: roundTrip,
      buffer: 1000 * heard.buffer,
      gaps: heard.gaps,
      dropped: this.lost * FRAME_SECONDS + heard.dropped,
      sent: Math.round(sent / FRAME_SECONDS),
      received: Math.round(received / FRAME_SECONDS),
      format,
    });
    if (this.state.get().strained && this.recorder.frames - this.lostAt > CALM_FRAMES)
      this.state.set({ strained: false });
    this.closeLines();
  }

  private say(side: Side, piece: string): void {
    const now = this.recorder.frames;
    const { lines } = this.state.get();
    const at = lines.findLastIndex((line) => line.side === side && !line.done && now - line.end <= LINE_PAUSE);
    if (at < 0) return this.write(side, piece.trimStart());
    const line = lines[at]!;
    this.state.set({ lines: lines.with(at, { ...line, text: line.text + piece, end: now }) });
  }

  private write(side: Line["side"], text: string): void {
    const now = this.recorder.frames;
    const line = { side, start: now, end: now, text, done: side === "note" };
    this.state.set({ lines: [...this.state.get().lines, line] });
  }

  private closeLines(all = false): void {
    const { lines } = this.state.get();
    const stale = (line: Line) => !line.done && (all || this.recorder.frames - line.end > LINE_PAUSE);
    if (lines.some(stale))
      this.state.set({ lines: lines.map((line) => (stale(line) ? { ...line, done: true } : line)) });
  }

  private note(event: ServerEvent): void {
    if (event.event === "dropped") {
      this.lost = event.total;
      this.lostAt = this.recorder.frames;
      this.state.set({ strained: true });
    } else if (event.event === "heard") this.say("user", event.text);
    else if (event.event === "queued") this.state.set({ state: "queued", position: event.position });
    else if (event.event === "recording") {
      this.state.set({ recording: event.recording });
      this.write("note", `The server records no longer: ${event.reason}.`);
    } else if (event.event === "stats") this.figures.set({ tick: event.tick_ms, late: event.late });
    else if (event.event === "ending") {
      this.ending = true;
      this.state.set({ notice: endingSentence(event.seconds, event.reason) });
    } else if (event.event === "session") {
      const { model, voice, seed, recording = false, hears = false, max_seconds: limit = null } = event;
      this.state.set({ model, voice, seed, recording, hears, limit });
    }
  }

  private ended({ ready, error, lost, codec }: Ending): void {
    if (this.over) return;
    microphone.sound?.clear();
    const unknown = !ready && this.opus && error !== null && /\bformat\b/.test(error); // by the server
    if (codec || unknown) this.opus = false;
    if (unknown) return this.connect();
    const wait = WAITS[this.attempts];
    if (lost && !this.ending && this.recorder.frames && wait !== undefined) {
      this.attempts++;
      this.closeLines(true);
      this.state.set({ state: "reconnecting" });
      setTimeout(() => this.connect(), 1000 * wait);
      return;
    }
    this.finish(this.state.get().notice ?? error);
  }

  private finish(problem: string | null): void {
    if (this.over) return;
    this.over = true;
    microphone.listeners.delete(this.hear);
    this.chat?.close();
    microphone.close();
    this.closeLines(true);
    const { model, voice, seed, lines } = this.state.get();
    this.state.set({ state: "over" });
    const seconds = this.recorder.frames * FRAME_SECONDS;
    if (seconds < SHORTEST) return this.onOver({ conversation: null, audio: null, problem });
    const { role } = this.wishes;
    const id = `${this.started.toString(36)}-${Math.floor(Math.random() * 1e9).toString(36)}`;
    const conversation = { id, started: this.started, seconds, model, voice, role, seed, lines };
    this.onOver({ conversation, audio: this.recorder.finish(), problem });
  }
}

function endingSentence(seconds: number, reason: string): string {
  const when = seconds > 0 ? `The conversation ends in ${Math.round(seconds)} s` : "The conversation ends";
  return reason ? `${when}: ${reason.replace(/\.$/, "")}.` : `${when}.`;
}
