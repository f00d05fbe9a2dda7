// Server: requests to the program that serves this page. Addresses are relative, for a proxy's prefix.

export class Refused extends Error {
  constructor(status, says, body) {
    super(says);
    this.status = status;
    this.body = body;
  }
}

// Throws Refused if the server says no, and TypeError if there is none.
async function ask(address, options) {
  const answer = await fetch(address, { cache: "no-store", ...options });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  const remedy =
    answer.status === 403
      ? "This window is no longer known to the server. Open the address that psgimg review printed."
      : `The server answered ${answer.status}.`;
  throw new Refused(answer.status, body.error ?? remedy, body);
}

const at = (night, rest = "") => `api/nights/${encodeURIComponent(night)}${rest}`;

export const worklist = async () => (await ask("api/worklist")).json();
export const night = async (id) => (await ask(at(id))).json();
export const agreement = async (id) => (await ask(at(id, "/agreement"))).json();
export const why = async (id, epoch) => (await ask(at(id, `/why/${epoch}`))).json();

export async function edit(id, revision, edits) {
  const body = JSON.stringify({ revision, edits });
  const headers = { "Content-Type": "application/json" };
  return (await ask(at(id, "/edits"), { method: "POST", headers, body })).json();
}

export const thumbnail = async (id, epoch) => (await ask(at(id, `/thumb/${epoch}.png`))).blob();

// The picture of a page, decoded, and what is written around it.
export async function page(id, epoch, query, signal) {
  const [picture, labels] = await Promise.all([
    ask(at(id, `/page/${epoch}.png?${query}`), { signal })
      .then((answer) => answer.blob())
      .then((blob) => createImageBitmap(blob)),
    ask(at(id, `/page/${epoch}.json?${query}`), { signal }).then((answer) => answer.json()),
  ]);
  return { picture, labels };
}
