// One connection to the WebSocket /api/chat (docs/serving.md). Knows the protocol, no audio device and no page.

import { FRAME_SECONDS, SAMPLE_RATE } from "../frames";
import { type Ends, OpusWire, PcmWire, type Wire } from "./wire";

const KIND = { handshake: 0, audio: 1, text: 2, metadata: 4, error: 5, ping: 6 };
const PING_EVERY = 2000; // ms
const LONGEST_ADDRESS = 8000; // bytes

/** What the server tells in kind 04. */
export type ServerEvent =
  | { event: "queued"; position: number; retry_after?: number }
  | {
      event: "session";
      id?: string;
      model: string;
      voice: string | null;
      seed: number;
      recording?: boolean;
      max_seconds?: number | null;
      hears?: boolean;
    }
  | { event: "heard"; text: string }
  | { event: "state"; speaking: boolean }
  | { event: "dropped"; frames: number; total: number }
  | { event: "recording"; recording: boolean; reason: string }
  | { event: "stats"; tick_ms: number; late: number; queue: number }
  | { event: "ending"; seconds: number; reason: string };

/** Why a connection is over. */
export interface Ending {
  ready: boolean; // the conversation had begun
  error: string | null; // the server's sentence, or ours
  lost: boolean; // it broke: trying again may help
  codec?: boolean; // the browser's Opus did: PCM may help
}

export interface Listeners {
  onOpen(): void;
  onReady(): void;
  onAudio(pcm: Float32Array<ArrayBuffer>): void;
  onText(piece: string): void;
  onEvent(event: ServerEvent): void;
  onEnd(ending: Ending): void; // once
}

export class Chat {
  sent = 0; // s
  received = 0; // s
  roundTrip: number | null = null; // ms
  readonly format: Wire["format"];
  private ready = false;
  private over = false;
  private readonly socket: WebSocket;
  private readonly wire: Wire;
  private readonly timer: ReturnType<typeof setInterval>;

  /** @param query what the conversation is to be */
  constructor(
    query: Record<string, string>,
    opus: boolean,
    private readonly listeners: Listeners,
  ) {
    const url = new URL("api/chat", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ ...query, format: opus ? "opus-raw" : "pcm" }).toString();
    if (url.href.length > LONGEST_ADDRESS) throw new Error("The role is too long to be sent. Shorten it.");
    const ends: Ends = {
      send: (payload) => this.write(KIND.audio, payload),
      hear: (pcm) => {
        this.received += pcm.length / SAMPLE_RATE;
        listeners.onAudio(pcm);
      },
      fail: (sentence) => this.end({ error: sentence, lost: true, codec: true }),
    };
    this.wire = opus ? new OpusWire(ends) : new PcmWire(ends);
    this.format = this.wire.format;
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => listeners.onOpen();
    this.socket.onmessage = ({ data }) => this.receive(data as ArrayBuffer);
    this.socket.onclose = ({ code }) => this.closed(code);
    this.timer = setInterval(() => this.ping(), PING_EVERY);
  }

  /** A frame of the user's; before the server is ready it is not part of the conversation. */
  send(frame: Int16Array<ArrayBuffer>): void {
    if (!this.ready || this.socket.readyState !== WebSocket.OPEN) return;
    this.sent += FRAME_SECONDS;
    this.wire.encode(frame);
  }

  /** Hang up. */
  close(): void {
    this.end({ error: null, lost: false });
  }

  private receive(data: ArrayBuffer): void {
    const kind = new Uint8Array(data)[0];
    const payload = new Uint8Array(data, 1);
    const text = () => new TextDecoder().decode(payload);
    if (kind === KIND.audio) this.wire.decode(payload);
    else if (kind === KIND.text) this.listeners.onText(text());
    else if (kind === KIND.handshake) {
      this.ready = true;
      this.ping();
      this.listeners.onReady();
    } else if (kind === KIND.metadata) this.listeners.onEvent(JSON.parse(text()) as ServerEvent);
    else if (kind === KIND.error) this.end({ error: text(), lost: false });
    else if (kind === KIND.ping && payload.length === 8) {
      this.roundTrip = performance.now() - new DataView(data, 1).getFloat64(0);
    }
  }

  private closed(code: number): void {
    if (!this.ready) this.end({ error: "The server cannot be reached, or refused to talk.", lost: true });
    else if (code === 1000)
      this.end({ error: null, lost: false }); // it said goodbye
    else this.end({ error: "The connection was lost.", lost: true });
  }

  private ping(): void {
    const now = new DataView(new ArrayBuffer(8));
    now.setFloat64(0, performance.now());
    this.write(KIND.ping, new Uint8Array(now.buffer));
  }

  private write(kind: number, payload: Uint8Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(1 + payload.length);
    message[0] = kind;
    message.set(payload, 1);
    this.socket.send(message);
  }

  private end(how: Omit<Ending, "ready">): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.timer);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.wire.close();
    this.listeners.onEnd({ ready: this.ready, ...how });
  }
}
