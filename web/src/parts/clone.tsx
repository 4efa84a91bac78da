// A voice of one's own, from a file or ten seconds of the microphone, with consent.

import { useEffect, useRef, useState } from "react";
import { microphone } from "../audio/microphone";
import { wavHeader } from "../audio/wav";
import type { Heard } from "../audio/worklet";
import { FRAME_SAMPLES, FRAME_SECONDS } from "../frames";
import { addVoice } from "../page";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

const FRAMES = Math.round(10 / FRAME_SECONDS);
const LARGEST = 10 * 2 ** 20; // bytes
const CONSENT =
  "I have the right to use this voice: it is my own, or the person whose voice it is has agreed to its being imitated here.";
const READ =
  "“Last summer we walked along the river until the sun went down. Nobody was in a hurry, and somebody always had a story to tell.”";

export function Clone({ onClose }: { onClose: () => void }) {
  const [sample, setSample] = useState<{ blob: Blob; name: string } | null>(null);
  const [name, setName] = useState("");
  const [agreed, setAgreed] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const upload = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await addVoice(name.trim(), CONSENT, sample!.blob, sample!.name);
      onClose();
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  };
  const choose = (file: File | undefined) => {
    if (!file) return;
    const large = file.size > LARGEST;
    setProblem(large ? "This file is larger than 10 MB: cut it to a minute or less." : null);
    if (!large) setSample({ blob: file, name: file.name });
  };
  return (
    <Dialog title="Add a voice" onClose={onClose}>
      <form
        className="clone"
        onSubmit={(event) => {
          event.preventDefault();
          void upload();
        }}
      >
        <p>Ten seconds of one person speaking in a quiet room are enough.</p>
        <div className="sources">
          <TenSeconds onDone={(blob) => setSample({ blob, name: "recording.wav" })} onProblem={setProblem} />
          <div className="source">
            <label className="file">
              <Icon name="download" />
              Choose a file
              <input
                type="file"
                accept=".wav,.flac,.ogg,.opus,.webm,audio/*"
                onChange={(event) => choose(event.target.files?.[0])}
              />
            </label>
            <small>WAV, FLAC, OGG or WebM, at most a minute and 10 MB.</small>
          </div>
        </div>
        {sample && (
          <p className="sample">
            <Icon name="check" /> {sample.name} <Listen blob={sample.blob} />
          </p>
        )}
        <label className="stack">
          Its name
          <input type="text" value={name} maxLength={40} required onChange={(event) => setName(event.target.value)} />
        </label>
        <label className="check">
          <input type="checkbox" checked={agreed} onChange={(event) => setAgreed(event.target.checked)} />
          {CONSENT}
        </label>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="primary" disabled={!sample || !agreed || !name.trim() || busy}>
          {busy ? "Adding…" : "Add this voice"}
        </button>
      </form>
    </Dialog>
  );
}

function TenSeconds({ onDone, onProblem }: { onDone: (blob: Blob) => void; onProblem: (sentence: string) => void }) {
  const [left, setLeft] = useState<number | null>(null);
  const stop = useRef(() => {});
  useEffect(() => () => stop.current(), []);
  const record = async () => {
    const alreadyOpen = microphone.sound !== null;
    const frames: Int16Array<ArrayBuffer>[] = [];
    const hear = ({ user }: Heard) => {
      frames.push(user);
      setLeft(Math.ceil((FRAMES - frames.length) * FRAME_SECONDS));
      if (frames.length >= FRAMES) finish(true);
    };
    const finish = (whole: boolean) => {
      microphone.listeners.delete(hear);
      if (!alreadyOpen) microphone.close();
      stop.current = () => {};
      setLeft(null);
      if (whole) onDone(new Blob([wavHeader(frames.length * FRAME_SAMPLES * 2, 1), ...frames], { type: "audio/wav" }));
    };
    stop.current = () => finish(false);
    try {
      await microphone.open();
      setLeft(10);
      microphone.listeners.add(hear);
    } catch (error) {
      finish(false);
      onProblem((error as Error).message);
    }
  };
  const on = left !== null;
  return (
    <div className={on ? "source on" : "source"}>
      <button type="button" onClick={() => (on ? stop.current() : void record())}>
        <Icon name={on ? "stop" : "microphone"} />
        <span>{on ? `${left} s left` : "Record 10 s"}</span>
      </button>
      <small>Read this aloud: {READ}</small>
    </div>
  );
}

function Listen({ blob }: { blob: Blob }) {
  const context = useRef<AudioContext | null>(null);
  useEffect(() => () => void context.current?.close(), []);
  const play = async () => {
    context.current ??= new AudioContext();
    try {
      const source = context.current.createBufferSource();
      source.buffer = await context.current.decodeAudioData(await blob.arrayBuffer());
      source.connect(context.current.destination);
      source.start();
    } catch {
      // a format that this browser cannot play; the server may
    }
  };
  return (
    <button type="button" className="quiet" onClick={() => void play()}>
      <Icon name="play" /> Listen
    </button>
  );
}
