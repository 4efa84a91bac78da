// Plays a stored conversation from any moment. Knows one file and the loudspeaker.

import { SAMPLE_RATE } from "../frames";
import { Store } from "../store";

export class Player {
  readonly state = new Store({ playing: false, position: 0 }); // s
  private source: AudioBufferSourceNode | null = null;
  private context: AudioContext | null = null;
  private begun = 0; // on the context's clock, where position 0 would have been
  private timer: ReturnType<typeof setInterval> | undefined;

  private constructor(readonly sound: AudioBuffer) {}

  /** Decode a stereo file, user left, agent right; rejects what the browser cannot play. */
  static async of(audio: Blob): Promise<Player> {
    const decoder = new OfflineAudioContext({ numberOfChannels: 1, length: 1, sampleRate: SAMPLE_RATE });
    return new Player(await decoder.decodeAudioData(await audio.arrayBuffer()));
  }

  get user(): Float32Array {
    return this.sound.getChannelData(0);
  }

  get agent(): Float32Array {
    return this.sound.getChannelData(this.sound.numberOfChannels - 1);
  }

  toggle(): void {
    if (this.state.get().playing) this.pause();
    else this.play();
  }

  play(): void {
    const { position } = this.state.get();
    const from = position >= this.sound.duration - 0.1 ? 0 : position;
    this.context ??= new AudioContext();
    void this.context.resume();
    this.stop();
    const source = (this.source = this.context.createBufferSource());
    source.buffer = this.sound;
    source.connect(this.context.destination);
    source.onended = () => {
      if (this.source === source) this.halt(this.sound.duration);
    };
    source.start(0, from);
    this.begun = this.context.currentTime - from;
    this.timer = setInterval(
      () => this.state.set({ position: Math.min(this.sound.duration, this.context!.currentTime - this.begun) }),
      80,
    );
    this.state.set({ playing: true, position: from });
  }

  pause(): void {
    this.halt(this.context!.currentTime - this.begun);
  }

  seek(seconds: number): void {
    const position = Math.max(0, Math.min(this.sound.duration, seconds));
    const { playing } = this.state.get();
    this.stop();
    this.state.set({ position });
    if (playing) this.play();
  }

  close(): void {
    this.stop();
    void this.context?.close();
    this.context = null;
  }

  private halt(position: number): void {
    this.stop();
    this.state.set({ playing: false, position: Math.min(this.sound.duration, position) });
  }

  private stop(): void {
    clearInterval(this.timer);
    if (this.source) this.source.onended = null;
    this.source?.stop();
    this.source = null;
  }
}
