// What the page asks its server for. Addresses are relative: the token stays in the page's own.

async function answer(response) {
  const content = await response.json().catch(() => ({ error: "the server does not answer as it should" }));
  if (!response.ok) throw Object.assign(new Error(content.error || `status ${response.status}`), { status: response.status });
  return content;
}

export async function get(path) {
  return answer(await fetch(path));
}

export async function send(method, path, content) {
  const headers = { "Content-Type": "application/json" };
  return answer(await fetch(path, { method, headers, body: JSON.stringify(content) }));
}

export function picture(file, frame, side, original, changed) {
  return `files/${file}/${original ? "original" : "protected"}/${frame}?side=${side}&v=${changed}`;
}

const CHUNK = 64;
const KEPT = 64; // chunks

// Faces of frames, asked for in chunks and kept; an hour of them would fill the memory.
export class Faces {
  constructor() { this.chunks = new Map(); }

  clear() { this.chunks.clear(); }

  async at(file, frame, frames) {
    const begin = frame - (frame % CHUNK), key = `${file}:${begin}`;
    let chunk = this.chunks.get(key);
    if (!chunk) {
      chunk = get(`files/${file}/faces?first=${begin}&last=${Math.min(begin + CHUNK, frames) - 1}`);
      this.chunks.set(key, chunk);
      chunk.catch(() => this.chunks.delete(key));
      if (this.chunks.size > KEPT) this.chunks.delete(this.chunks.keys().next().value);
    }
    return (await chunk)[frame - begin];
  }
}
