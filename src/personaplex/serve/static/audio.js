// Microphone and loudspeaker, as 80 ms frames of 24 kHz 16-bit sound. Knows the browser's audio, no network and no page.

const RATE = 24000;

const REASONS = {
  NotAllowedError:
    "The page may not use the microphone. Allow it in the browser's address bar or settings, then press Talk again.",
  NotFoundError: "No microphone was found. Plug one in, then press Talk again.",
  NotReadableError: "Another program is using the microphone. Close it, then press Talk again.",
};

/** Ask for the microphone; an error says what the person at the page can do. @returns {Promise<MediaStream>} */
export async function askForMicrophone() {
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new Error(
      "Browsers give a microphone only to pages from this computer or over HTTPS. Open the page at http://localhost, " +
        "or start the server with --ssl.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, autoGainControl: true, noiseSuppression: true },
    });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The microphone cannot be used: ${error.message}`);
  }
}

export class Sound {
  /**
   * Connect a microphone and the loudspeaker. Call it from a click, or the browser keeps it silent.
   * @param {MediaStream} stream
   * @param {{onFrame: (pcm: ArrayBuffer, level: number) => void, onPlayed: (figures: object) => void}} listeners
   * @param {number} rate of the audio device; other rates than 24,000 are resampled
   */
  static async open(stream, listeners, rate = RATE) {
    try {
      return await new Sound(stream, listeners, rate).start();
    } catch (error) {
      // Some browsers cannot join a microphone to another rate than its own.
      if (error.name !== "NotSupportedError" && error.name !== "NotAllowedError") throw error;
      return await new Sound(stream, listeners, undefined).start();
    }
  }

  constructor(stream, listeners, rate) {
    this.stream = stream;
    this.listeners = listeners;
    this.context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
  }

  async start() {
    try {
      await this.context.audioWorklet.addModule(new URL("worklets.js", import.meta.url));
      const source = this.context.createMediaStreamSource(this.stream);
      const mono = { channelCount: 1, channelCountMode: "explicit" };
      this.capture = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0, ...mono });
      this.playback = new AudioWorkletNode(this.context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
      this.capture.port.onmessage = ({ data }) => this.listeners.onFrame(data.pcm, data.level);
      this.playback.port.onmessage = ({ data }) => this.listeners.onPlayed(data);
      source.connect(this.capture);
      this.playback.connect(this.context.destination);
      await this.context.resume();
      return this;
    } catch (error) {
      await this.context.close();
      throw error;
    }
  }

  /** @param {ArrayBuffer} pcm a frame of the agent's */
  play(pcm) {
    this.playback.port.postMessage(pcm, [pcm]);
  }

  /** @param {boolean} muted send silence instead of the microphone */
  mute(muted) {
    this.capture.port.postMessage({ muted });
  }

  close() {
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.context.state !== "closed") this.context.close();
  }
}
