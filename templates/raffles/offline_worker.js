/**
 * A browser that keeps tickets shows them instead of its own error page when nothing answers.
 *
 * What the network answers comes first, always. Kept here are that one page, in each language, and
 * what it loads: nothing of anybody. The worker comes with the first kept ticket and goes with the
 * last (tickets.js). It leaves alone what is no page of visitors': the admin, frames, forms, streams.
 */
const { version, page, languages, assets } = {{ kept|safe }};
const NAME = `offline ${version}`;
const editions = languages.map((language) => `/${language}${page}`);

addEventListener("install", (event) => event.waitUntil(keep().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isPage = request.destination === "document" && !pathname.startsWith("/admin/");
  if (request.method !== "GET" || origin !== location.origin || !(isPage || assets.includes(pathname))) return;
  event.respondWith(fetch(request).catch(() => kept(isPage ? pageAt(pathname) : pathname)));
});

async function keep() {
  const cache = await caches.open(NAME);
  const fresh = (path) => new Request(path, { cache: "reload" });
  await cache.addAll([page, ...editions, ...assets].map(fresh));
}

async function forgetOthers() {
  for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name);
}

/** The page in the language of that path; in the browser's own where it has none. */
const pageAt = (path) => editions.find((edition) => path.startsWith(edition.slice(0, 4))) ?? page;

async function kept(path) {
  const cache = await caches.open(NAME);
  return (await cache.match(path, { ignoreVary: true })) ?? Response.error();
}
