// The microphone before a conversation: leave, level, devices, echo.

import { useEffect, useState } from "react";
import { ECHO_FRAMES, ECHO_STARTS, findEcho, notes } from "../audio/echo";
import { microphone } from "../audio/microphone";
import type { Heard } from "../audio/worklet";
import { settings } from "../settings";
import { useStore } from "../store";
import type { Lanes } from "../talk/lanes";
import { Icon } from "./icons";

export function SoundCheck({ lanes }: { lanes: Lanes }) {
  const { open, denied, problem } = useStore(microphone.state);
  return (
    <section className="card check-sound" aria-labelledby="sound-title">
      <h2 id="sound-title">Your sound</h2>
      {open === "on" ? (
        <>
          <Level lanes={lanes} />
          <Devices />
          <Echo />
          {problem && <p className="problem">{problem}</p>}
        </>
      ) : denied ? (
        <Denied />
      ) : (
        <>
          <p className="help">
            The browser will ask whether this page may use your microphone. What you say goes to this server and nowhere
            else.
          </p>
          <button
            type="button"
            id="try"
            disabled={open === "asking"}
            onClick={() => void microphone.open().catch(() => {})}
          >
            <Icon name="microphone" /> {open === "asking" ? "Waiting for the browser…" : "Try the microphone"}
          </button>
          {problem && <p className="problem">{problem}</p>}
        </>
      )}
      <p className="headphones">
        <Icon name="headphones" />
        <span>
          <b>Use headphones.</b> Through loudspeakers it hears its own voice and takes it for yours.
        </span>
      </p>
    </section>
  );
}

function Denied() {
  return (
    <div className="denied" role="alert">
      <b>The browser keeps the microphone from this page.</b>
      <ol>
        <li>Open the site settings, left of the address.</li>
        <li>Set Microphone to Allow.</li>
        <li>Come back: the page notices, or press the button.</li>
      </ol>
      <button type="button" onClick={() => void microphone.open().catch(() => {})}>
        Try again
      </button>
    </div>
  );
}

const BARS = 24;

function Level({ lanes }: { lanes: Lanes }) {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    const show = () => setLevel(lanes.columns.at(-1)?.user ?? 0);
    lanes.listeners.add(show);
    return () => void lanes.listeners.delete(show);
  }, [lanes]);
  const lit = Math.round(level * BARS);
  return (
    <div
      className="level"
      role="meter"
      aria-label="Microphone level"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * level)}
    >
      {Array.from({ length: BARS }, (_, i) => (
        <i key={i} className={i < lit ? "on" : ""} />
      ))}
    </div>
  );
}

function Devices() {
  const { inputs, outputs } = useStore(microphone.state);
  const { microphone: input, speaker: output } = useStore(settings);
  return (
    <div className="devices">
      <Picker name="Microphone" devices={inputs} value={input} onChoose={(id) => void microphone.choose(id)} />
      {outputs.length > 0 && (
        <Picker
          name="Loudspeaker"
          devices={outputs}
          value={output}
          onChoose={(id) => void microphone.chooseSpeaker(id)}
        />
      )}
    </div>
  );
}

interface PickerProps {
  name: string;
  devices: MediaDeviceInfo[];
  value: string;
  onChoose: (id: string) => void;
}

export function Picker({ name, devices, value, onChoose }: PickerProps) {
  const known = devices.some(({ deviceId }) => deviceId === value);
  return (
    <label className="stack">
      {name}
      <select value={known ? value : ""} onChange={(event) => onChoose(event.target.value)}>
        <option value="">The system's choice</option>
        {devices
          .filter(({ deviceId }) => deviceId !== "default" && deviceId !== "communications")
          .map(({ deviceId, label }, i) => (
            <option key={deviceId} value={deviceId}>
              {label || `${name} ${i + 1}`}
            </option>
          ))}
      </select>
    </label>
  );
}

type Verdict = "unknown" | "listening" | "echo" | "clear";

const VERDICTS: Record<Verdict, string> = {
  unknown: "Plays a few notes and listens whether they come back.",
  listening: "Listening… stay quiet for two seconds.",
  echo: "Your microphone hears your loudspeaker. Use headphones, or it will answer itself.",
  clear: "No echo was heard.",
};

function Echo() {
  const [verdict, setVerdict] = useState<Verdict>("unknown");
  const test = () => {
    setVerdict("listening");
    const frames: Int16Array[] = [];
    const hear = ({ user }: Heard) => {
      if (frames.length === ECHO_STARTS) microphone.sound?.chime(notes());
      frames.push(user);
      if (frames.length < ECHO_FRAMES) return;
      microphone.listeners.delete(hear);
      setVerdict(findEcho(frames).echo ? "echo" : "clear");
    };
    microphone.listeners.add(hear);
  };
  return (
    <div className="echo" data-verdict={verdict}>
      <button type="button" id="echo" disabled={verdict === "listening"} onClick={test}>
        <Icon name="waves" /> Test for echo
      </button>
      <p role="status" className={verdict === "echo" ? "problem" : ""}>
        {VERDICTS[verdict]}
      </p>
    </div>
  );
}
