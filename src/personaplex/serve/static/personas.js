// Roles to begin with, and how to say a voice's name.

export const ROLES = [
  {
    name: "Teacher",
    text: "You are a wise and friendly teacher. Answer questions or provide advice in a clear and engaging way.",
  },
  {
    name: "Service",
    text:
      "You work for Lakeside Bikes which is a bicycle repair shop and your name is Maria Lopez. Information: " +
      "A new chain is $25. A new tire is $15. Repairs take two days. We are closed on Sunday.",
  },
  { name: "Casual talk", text: "You enjoy having a good conversation." },
];

const KINDS = { NATF: "Natural, female", NATM: "Natural, male", VARF: "Varied, female", VARM: "Varied, male" };

/**
 * Group voices by kind.
 * @param {string[]} names
 * @returns {{title: string, voices: {name: string, label: string, spoken: string}[]}[]}
 */
export function groupVoices(names) {
  const groups = new Map();
  for (const name of names) {
    const [, kind, number] = name.match(/^(NAT[FM]|VAR[FM])(\d+)$/) ?? [];
    const title = KINDS[kind] ?? "Other";
    if (!groups.has(title)) groups.set(title, { title, voices: [] });
    const label = number ?? name;
    groups.get(title).voices.push({ name, label, spoken: kind ? `${title}, ${number}` : name });
  }
  return [...groups.values()];
}
