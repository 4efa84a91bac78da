// Microphone and loudspeaker as one device that reports every 80 ms. Knows the browser's audio, no network and no page.

import { SAMPLE_RATE } from "../frames";
import type { Heard, Order } from "./worklet";

const WORKLET = "worklet.js"; // a file of its own: vite.config.js

const REASONS: Record<string, string> = {
  NotAllowedError:
    "The page may not use the microphone. Allow it in the browser's address bar or settings, then press Talk again.",
  NotFoundError: "No microphone was found. Plug one in, then press Talk again.",
  NotReadableError: "Another program is using the microphone. Close it, then press Talk again.",
  OverconstrainedError: "The chosen microphone is gone. Choose another one.",
};

/** Why there is no microphone; `denied` where the browser was told to refuse it. */
export class NoMicrophone extends Error {
  constructor(
    message: string,
    readonly denied = false,
  ) {
    super(message);
  }
}

async function askForMicrophone(device: string): Promise<MediaStream> {
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new NoMicrophone(
      "Browsers give a microphone only to pages from this computer or over HTTPS. Open the page at http://localhost, " +
        "or start the server with --ssl.",
    );
  }
  const wishes = { channelCount: 1, echoCancellation: true, autoGainControl: true, noiseSuppression: true };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: device ? { ...wishes, deviceId: { exact: device } } : wishes,
    });
  } catch (error) {
    const { name, message } = error as DOMException;
    if (device && (name === "OverconstrainedError" || name === "NotFoundError")) return askForMicrophone("");
    throw new NoMicrophone(REASONS[name] ?? `The microphone cannot be used: ${message}`, name === "NotAllowedError");
  }
}

export class Sound {
  onHeard: (heard: Heard) => void = () => {};
  onLost: () => void = () => {}; // the microphone was unplugged
  private source: MediaStreamAudioSourceNode | null = null;
  private node: AudioWorkletNode | null = null;

  private constructor(
    private stream: MediaStream,
    readonly context: AudioContext,
  ) {}

  /**
   * Connect a microphone and the loudspeaker. Call it after a click, or the browser keeps it silent.
   * @param rate of the audio device, Hz; other rates than 24,000 are resampled
   */
  static async open(microphone: string, speaker: string, rate: number = SAMPLE_RATE): Promise<Sound> {
    const stream = await askForMicrophone(microphone);
    try {
      return await Sound.start(stream, speaker, rate);
    } catch (error) {
      // Some browsers cannot join a microphone to another rate than its own.
      const { name } = error as DOMException;
      if (name === "NotSupportedError" || name === "NotAllowedError") {
        try {
          return await Sound.start(stream, speaker, undefined);
        } catch {
          // the first reason says more
        }
      }
      stream.getTracks().forEach((track) => track.stop());
      throw error;
    }
  }

  private static async start(stream: MediaStream, speaker: string, rate: number | undefined): Promise<Sound> {
    const context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    const sound = new Sound(stream, context);
    try {
      await context.audioWorklet.addModule(new URL(WORKLET, document.baseURI));
      sound.node = new AudioWorkletNode(context, "duplex", {
        outputChannelCount: [1],
        channelCount: 1,
        channelCountMode: "explicit",
      });
      sound.node.port.onmessage = ({ data }: MessageEvent<Heard>) => sound.onHeard(data);
      sound.node.connect(context.destination);
      sound.listenTo(stream);
      if (speaker) await sound.playOn(speaker).catch(() => {}); // it may be unplugged: then the system's choice
      await context.resume();
      return sound;
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  private listenTo(stream: MediaStream): void {
    this.source?.disconnect();
    this.stream = stream;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.node!);
    stream.getAudioTracks()[0]!.onended = () => this.onLost();
  }

  /** Take another microphone without a gap in the conversation. */
  async changeMicrophone(device: string): Promise<void> {
    const old = this.stream;
    this.listenTo(await askForMicrophone(device));
    old.getTracks().forEach((track) => track.stop());
  }

  /** Play on another loudspeaker, where the browser lets pages choose. */
  async playOn(device: string): Promise<void> {
    const context = this.context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
    await context.setSinkId?.(device);
  }

  /** The microphone's name. */
  get label(): string {
    return this.stream.getAudioTracks()[0]?.label ?? "";
  }

  /** @param pcm of the agent's, 24 kHz; it is given away */
  play(pcm: Float32Array<ArrayBuffer>): void {
    this.order({ play: pcm }, [pcm.buffer]);
  }

  /** Play a short sound at once, outside the conversation. */
  chime(pcm: Float32Array<ArrayBuffer>): void {
    const source = this.context.createBufferSource();
    source.buffer = this.context.createBuffer(1, pcm.length, SAMPLE_RATE);
    source.buffer.copyToChannel(pcm, 0);
    source.connect(this.context.destination);
    source.start();
  }

  /** Send silence instead of the microphone. */
  mute(muted: boolean): void {
    this.order({ muted });
  }

  /** Forget what is not yet played. */
  clear(): void {
    this.order({ clear: true });
  }

  close(): void {
    this.onHeard = this.onLost = () => {};
    this.stream.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
    if (this.context.state !== "closed") void this.context.close();
  }

  private order(order: Order, given: Transferable[] = []): void {
    this.node?.port.postMessage(order, given);
  }
}
