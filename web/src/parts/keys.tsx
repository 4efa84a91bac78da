// Which keys do what.

import { settings } from "../settings";
import { useStore } from "../store";
import { Dialog } from "./dialog";

const KEYS = [
  ["Space", "mute and unmute; after a conversation, play and pause"],
  ["T", "talk"],
  ["E", "end the conversation"],
  ["D", "show or hide the figures of the connection"],
  ["← →", "after a conversation, five seconds back or on"],
  ["?", "this list"],
  ["Esc", "close what is open"],
] as const;

export function Keys({ onClose }: { onClose: () => void }) {
  const { keys } = useStore(settings);
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input type="checkbox" checked={keys} onChange={(event) => settings.set({ keys: event.target.checked })} />
        Letters, Space and ? work as shortcuts
      </label>
    </Dialog>
  );
}
