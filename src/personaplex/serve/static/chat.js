// One conversation on the WebSocket /api/chat, in its PCM form (docs/serving.md). Knows the protocol, no audio and no page.

const KIND = { handshake: 0, audio: 1, text: 2, metadata: 4, error: 5, ping: 6 };
const PING_EVERY = 2000; // ms
const LONGEST_ADDRESS = 8000; // bytes

export class Chat {
  /**
   * @param {Record<string, string>} query what the conversation is to be
   * @param {{
   *   onOpen: () => void, onReady: () => void, onAudio: (pcm: ArrayBuffer) => void, onText: (piece: string) => void,
   *   onMetadata: (event: object) => void, onEnd: (error: string | null) => void,
   * }} listeners `onEnd` is called once, with a sentence when it ended by a fault
   */
  constructor(query, listeners) {
    this.listeners = listeners;
    this.sent = 0; // frames
    this.received = 0; // frames
    this.roundTrip = null; // ms
    this.ready = false;
    this.over = false;
    this.error = null;
    const url = new URL("api/chat", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ ...query, format: "pcm" });
    if (url.href.length > LONGEST_ADDRESS) throw new Error("The role is too long to be sent. Shorten it.");
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => listeners.onOpen();
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = () =>
      this.end(this.error ?? (this.ready ? "The connection was lost." : "The server cannot be reached, or refused to talk."));
    this.timer = setInterval(() => this.ping(), PING_EVERY);
  }

  /** @param {ArrayBuffer} pcm a frame of the user's; before the server is ready it is not part of the conversation */
  send(pcm) {
    if (!this.ready || this.socket.readyState !== WebSocket.OPEN) return;
    this.write(KIND.audio, new Uint8Array(pcm));
    this.sent++;
  }

  /** Hang up. */
  close() {
    this.end(null);
  }

  receive(data) {
    if (!(data instanceof ArrayBuffer) || !data.byteLength) return;
    const kind = new Uint8Array(data)[0];
    const payload = data.slice(1);
    if (kind === KIND.audio) {
      this.received++;
      this.listeners.onAudio(payload);
    } else if (kind === KIND.text) {
      this.listeners.onText(new TextDecoder().decode(payload));
    } else if (kind === KIND.handshake) {
      this.ready = true;
      this.ping();
      this.listeners.onReady();
    } else if (kind === KIND.metadata) {
      this.listeners.onMetadata(JSON.parse(new TextDecoder().decode(payload)));
    } else if (kind === KIND.error) {
      this.error = new TextDecoder().decode(payload);
    } else if (kind === KIND.ping && payload.byteLength === 8) {
      this.roundTrip = performance.now() - new DataView(payload).getFloat64(0);
    }
  }

  ping() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const now = new DataView(new ArrayBuffer(8));
    now.setFloat64(0, performance.now());
    this.write(KIND.ping, new Uint8Array(now.buffer));
  }

  write(kind, payload) {
    const message = new Uint8Array(1 + payload.length);
    message[0] = kind;
    message.set(payload, 1);
    this.socket.send(message);
  }

  end(error) {
    if (this.over) return;
    this.over = true;
    clearInterval(this.timer);
    this.socket.onmessage = null;
    this.socket.close();
    this.listeners.onEnd(error);
  }
}
