// Pages: the pictures of the epochs around the present one, fetched and decoded ahead of their turn.

import * as server from "./server.js";

const KEPT = 20;
const NEAR = 3;
const AT_ONCE = 2;

export class Pages {
  constructor() {
    this.kept = new Map(); // address → {promise, page, abort}; oldest use first
    this.wanted = [];
    this.loading = 0;
  }

  // What is decided by the address of a page: the same address, the same picture.
  #key(night, epoch, query) {
    return `${night.id}/${epoch}?${query}`;
  }

  #entry(night, epoch, query) {
    const key = this.#key(night, epoch, query);
    let entry = this.kept.get(key);
    if (entry) {
      this.kept.delete(key); // to the end
    } else {
      const abort = new AbortController();
      entry = { epoch, abort, page: null };
      entry.promise = server.page(night.id, epoch, query, abort.signal).then(
        (page) => (entry.page = page),
        (error) => {
          if (this.kept.get(key) === entry) this.kept.delete(key);
          throw error;
        },
      );
      entry.promise.catch(() => {}); // whoever waits for it is told
    }
    this.kept.set(key, entry);
    this.#drop();
    return entry;
  }

  #drop() {
    for (const [key, entry] of this.kept) {
      if (this.kept.size <= KEPT) return;
      this.kept.delete(key);
      if (!entry.page) entry.abort.abort();
      entry.promise.then((page) => page.picture.close?.()).catch(() => {});
    }
  }

  // The page if it is here already, else null.
  ready(night, epoch, query) {
    return this.kept.get(this.#key(night, epoch, query))?.page ?? null;
  }

  // The page of the present epoch. What is on its way for epochs that were passed is given up, so that
  // a held key does not wait for all that it ran over.
  fetch(night, epoch, query) {
    for (const [key, entry] of this.kept) {
      if (entry.page || Math.abs(entry.epoch - epoch) <= NEAR) continue;
      entry.abort.abort();
      this.kept.delete(key);
    }
    return this.#entry(night, epoch, query).promise;
  }

  // Fetch pages that are likely to be next, [epoch, query] each, a few at a time.
  prefetch(night, likely) {
    this.wanted = likely.map(([epoch, query]) => [night, epoch, query]);
    this.#work();
  }

  #work() {
    while (this.loading < AT_ONCE && this.wanted.length) {
      const [night, epoch, query] = this.wanted.shift();
      if (this.kept.has(this.#key(night, epoch, query))) continue;
      this.loading += 1;
      this.#entry(night, epoch, query)
        .promise.catch(() => {})
        .finally(() => {
          this.loading -= 1;
          this.#work();
        });
    }
  }
}
