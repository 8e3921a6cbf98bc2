// The built Worker in workerd, against an emulated S3 that checks signatures.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ask, startStore, startWorker } from './cloud.mjs';
import { Key } from './links.mjs';

const REPORT = '000102030405060708090a0b0c0d0e0f';
const OTHER = 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff';
const EPOCH = 7;
const STYLE = 'body{color:#123}';
const PAGE = `<!doctype html><html lang="de"><head><title>x</title><style>${STYLE}</style></head>
<body><p>Bericht</p></body></html>`;
const MODEL = Buffer.alloc(3_000_000, 'glTF-but-not-really ');
const HASH = createHash('sha256').update(STYLE).digest('base64');

const signing = new Key(1, 11);
const next = new Key(2, 22);
const foreign = new Key(1, 33);
const claims = { report: REPORT, epoch: EPOCH };
const live = signing.token(claims);
let store;
let worker;

before(async () => {
  store = await startStore();
  const page = { epoch: String(EPOCH), 'csp-style-sha256': HASH };
  const file = { epoch: String(EPOCH) };
  await store.put(REPORT, 'report.html', PAGE, page);
  await store.put(REPORT, 'scan.glb', MODEL, file);
  await store.put(REPORT, 'data.json', '{"a":1}', file);
  await store.put(REPORT, 'still_front.webp', 'RIFF', file);
  await store.put(OTHER, 'report.html', 'another patient', page);
  await store.put(OTHER, 'report.pdf', 'another patient', file);
  worker = await startWorker(store, [signing, next]);
});

after(async () => {
  await worker?.stop();
  await store?.stop();
});

const get = (path, options) => ask(worker.origin, path, options);

test('the page is served as it was stored, under its own policy', async () => {
  for (const path of [`/r/${live}`, `/r/${live}/`, `/r/${live}?utm_source=mail`]) {
    const answer = await get(path);
    assert.equal(answer.status, 200);
    assert.equal(answer.text, PAGE);
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(answer.headers['content-length'], String(Buffer.byteLength(PAGE)));
    assert.match(answer.headers['content-security-policy'], /^default-src 'none';/);
    assert.ok(answer.headers['content-security-policy'].includes(`style-src 'sha256-${HASH}'`));
    assert.equal(answer.headers['cache-control'], 'private, no-store');
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    assert.equal(answer.headers['x-robots-tag'], 'noindex, noarchive');
    assert.equal(answer.headers['set-cookie'], undefined);
    assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith('x-amz')), []);
  }
});

test('files come by query and by path, whole and in parts', async () => {
  for (const path of [`/r/${live}?scan.glb`, `/r/${live}/?scan.glb`, `/r/${live}/scan.glb`]) {
    const answer = await get(path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'model/gltf-binary');
    assert.ok(answer.body.equals(MODEL));
  }
  const range = (value) => get(`/r/${live}/scan.glb`, { headers: { range: value } });
  const part = await range('bytes=1000-1999');
  assert.equal(part.status, 206);
  assert.equal(part.headers['content-range'], `bytes 1000-1999/${MODEL.length}`);
  assert.ok(part.body.equals(MODEL.subarray(1000, 2000)));
  const last = await range('bytes=-5');
  assert.equal(last.status, 206);
  assert.ok(last.body.equals(MODEL.subarray(-5)));
  const outside = await range(`bytes=${MODEL.length}-`);
  assert.equal(outside.status, 416);
  assert.equal(outside.headers['content-range'], `bytes */${MODEL.length}`);
  assert.equal((await range('bytes=9-1')).status, 200);
});

test('HEAD has the status and length of GET and no body', async () => {
  for (const file of ['', '/scan.glb', '/data.json', '/heat_x.webp']) {
    const full = await get(`/r/${live}${file}`);
    const head = await get(`/r/${live}${file}`, { method: 'HEAD' });
    assert.equal(head.status, full.status);
    assert.equal(head.body.length, 0);
    for (const name of ['content-type', 'content-length', 'etag', 'content-security-policy']) {
      assert.equal(head.headers[name], full.headers[name], name);
    }
  }
});

test('a known tag is not sent again', async () => {
  const { etag } = (await get(`/r/${live}`)).headers;
  const again = await get(`/r/${live}`, { headers: { 'if-none-match': etag } });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
});

test('both live keys open, and the second report stays apart', async () => {
  assert.equal((await get(`/r/${next.token(claims)}`)).status, 200);
  const other = await get(`/r/${signing.token({ report: OTHER, epoch: EPOCH })}`);
  assert.equal(other.text, 'another patient');
});

test('refusals have their exact status, and say nothing of the report', async () => {
  const expired = signing.token({ ...claims, expiresIn: -1 });
  const table = [
    [410, `/r/${expired}`],
    [410, `/r/${expired}/scan.glb`],
    [410, `/r/${signing.token({ ...claims, epoch: EPOCH - 1 })}`],
    [410, `/r/${signing.token({ ...claims, epoch: EPOCH + 1 })}/scan.glb`],
    [410, `/r/${signing.token({ ...claims, report: 'aa'.repeat(16) })}`],
    [404, `/r/${foreign.token(claims)}`],
    [404, `/r/${foreign.token({ ...claims, expiresIn: -1 })}`],
    [404, `/r/${new Key(3, 33).token(claims)}`],
    [404, `/r/${signing.token({ ...claims, flags: 1 })}/scan.glb`],
    [404, `/r/${signing.token({ ...claims, flags: 2 })}`],
    [404, `/r/${live}/confirm`, { method: 'POST', body: 'x' }],
    [404, `/r/${foreign.token(claims)}/erase`, { method: 'POST', body: 'x' }],
    [403, `/r/${live}/erase`, { method: 'POST', body: 'x', headers: { 'sec-fetch-site': 'cross-site' } }],
    [403, `/r/${live}/erase`, { method: 'POST', body: 'x', headers: { origin: 'https://evil.example' } }],
    [403, `/r/${live}/erase`, { method: 'POST', body: 'x', headers: { origin: 'null' } }],
    [400, `/r/${live}/events`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
    [415, `/r/${live}/events`, { method: 'POST', body: 'x' }],
    [413, `/r/${live}/events`, { method: 'POST', body: Buffer.alloc(17 * 1024) }],
    [405, `/r/${live}/events`],
    [405, `/r/${live}/erase`, { method: 'PUT', body: 'x' }],
    [404, `/r/${live}/report.pdf`],
    [404, `/r/${live}/../${OTHER}/report.pdf`],
    [404, `/r/${live}/..%2f${OTHER}%2freport.pdf`],
    [404, `/r/${live}/%2e%2e/${OTHER}/report.pdf`],
    [404, `/r/${live}/..\\${OTHER}\\report.pdf`],
    [404, `/r/${live}/${OTHER}/report.pdf`],
    [404, `/r/${live}?../${OTHER}/report.pdf`],
    [404, `/r/${live}/heat_missing.webp`],
    [404, `/r/${live}/manifest.json`],
    [404, `/r/${live}=`],
    [404, `/r/${live.slice(0, -1)}`],
    [404, `/r/${live}A`],
    [404, '/'],
    [404, '/r/'],
    [404, '/robots.txt'],
    [414, `/${'a'.repeat(2048)}`],
    [405, `/r/${live}`, { method: 'POST', body: 'x' }],
    [405, `/r/${live}`, { method: 'DELETE' }],
    [405, `/r/${live}`, { method: 'OPTIONS' }],
    [405, '/healthz', { method: 'PUT', body: 'x' }],
    [404, '/elsewhere', { method: 'POST', body: 'x' }],
  ];
  for (const [status, path, options] of table) {
    const answer = await get(path, options);
    const row = `${options?.method ?? 'GET'} ${path}`;
    assert.equal(answer.status, status, row);
    assert.match(answer.headers['content-security-policy'], /^default-src 'none';/, row);
    assert.doesNotMatch(answer.text, /Bericht<|another patient|glTF/, row);
    if (status === 405) {
      const allow = { events: 'POST', erase: 'GET, HEAD, POST' }[path.split('/').at(-1)];
      assert.equal(answer.headers.allow, allow ?? 'GET, HEAD', row);
    } else {
      assert.equal(answer.headers.allow, undefined, row);
    }
  }
});

test('a long body is refused', async () => {
  const body = Buffer.alloc(17 * 1024);
  const headers = { 'content-length': body.length };
  const answer = await get(`/r/${live}`, { headers, body });
  assert.equal(answer.status, 413);
});

test('every flipped bit of the token is refused', async () => {
  const bytes = Buffer.from(live, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const answer = await get(`/r/${flipped.toString('base64url')}`);
    assert.equal(answer.status, 404, `bit ${bit}`);
  }
});

test('a revocation acts on the next request, also on a conditional one', async () => {
  const report = '11'.repeat(16);
  const token = signing.token({ report, epoch: 1 });
  await store.put(report, 'report.html', PAGE, { epoch: '1' });
  const { etag } = (await get(`/r/${token}`)).headers;
  await store.put(report, 'report.html', PAGE, { epoch: '2' });
  for (const headers of [{}, { 'if-none-match': etag }, { range: 'bytes=0-1' }]) {
    const answer = await get(`/r/${token}`, { headers });
    assert.equal(answer.status, 410);
    assert.equal(answer.headers.etag, undefined);
  }
  assert.equal((await get(`/r/${signing.token({ report, epoch: 2 })}`)).status, 200);
});

test('a report that is being drawn anew says so, and comes by the same link', async () => {
  const report = '0a'.repeat(16);
  const link = `/r/${signing.token({ report, epoch: EPOCH })}`;
  const renewal = { epoch: String(EPOCH), renewal: '1' };
  await store.put(report, 'report.html', 'nothing to be seen', renewal);
  for (const options of [{}, { method: 'HEAD' }, { headers: { range: 'bytes=99-' } }, { headers: { 'if-none-match': '*' } }]) {
    const answer = await get(link, options);
    assert.equal(answer.status, 503, JSON.stringify(options));
    assert.equal(answer.headers['retry-after'], '10');
    assert.equal(answer.headers.refresh, '10');
    assert.ok(!answer.text.includes('nothing to be seen'));
  }
  assert.equal((await get(`/r/${signing.token({ report, epoch: EPOCH + 1 })}`)).status, 410);
  await store.put(report, 'report.html', PAGE, { epoch: String(EPOCH), 'csp-style-sha256': HASH });
  const there = await get(link);
  assert.equal(there.text, PAGE);
  assert.equal(there.headers.refresh, undefined);
});

test('an object without an epoch is not served', async () => {
  const report = '22'.repeat(16);
  await store.put(report, 'report.html', PAGE, {});
  const answer = await get(`/r/${signing.token({ report })}`);
  assert.equal(answer.status, 503);
  assert.equal(answer.headers['retry-after'], '30');
});

test('pages of our own come in the language asked for', async () => {
  const expired = `/r/${signing.token({ ...claims, expiresIn: -1 })}`;
  assert.match((await get(expired)).text, /Dieser Link ist abgelaufen/);
  const english = { headers: { 'accept-language': 'en-GB,en;q=0.9,de;q=0.1' } };
  assert.match((await get(expired, english)).text, /This link has expired/);
  assert.match((await get('/privacy')).text, /Datenschutz/);
  assert.match((await get('/privacy?lang=en')).text, /lodge a complaint/);
  assert.match((await get('/security')).text, /Sicherheit/);
  assert.equal((await get('/healthz')).text, 'ok\n');
});

test('a key that the store refuses, and a store that is away, are 503', async () => {
  const wrong = await startWorker(store, [signing], { S3_SECRET_ACCESS_KEY: 'wrong' });
  const away = await startWorker({ origin: 'http://127.0.0.1:9' }, [signing]);
  try {
    for (const { origin } of [wrong, away]) {
      const answer = await ask(origin, `/r/${live}`);
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '30');
      assert.equal((await ask(origin, '/healthz')).status, 200);
    }
  } finally {
    await wrong.stop();
    await away.stop();
  }
});

test('a wrong configuration is 503 everywhere', async () => {
  for (const bindings of [
    { LINK_PUBLIC_KEYS: '' },
    { LINK_PUBLIC_KEYS: '1:AAAA' },
    { S3_ENDPOINT: 'http://example.org' },
    { SESSION_KEY: 'short' },
    { REQUEST_QUEUE_URL: 'http://example.org/1/requests' },
  ]) {
    const broken = await startWorker(store, [signing], bindings);
    try {
      for (const path of ['/healthz', `/r/${live}`]) {
        assert.equal((await ask(broken.origin, path)).status, 503, JSON.stringify(bindings));
      }
    } finally {
      await broken.stop();
    }
  }
});

test('asking too often is 429', async () => {
  const limited = await startWorker(store, [signing], {}, {
    ratelimits: { RATE_LIMITER: { simple: { limit: 3, period: 60 } } },
  });
  try {
    const headers = { 'cf-connecting-ip': '192.0.2.1' };
    const statuses = [];
    for (let i = 0; i < 4; i += 1) {
      const answer = await ask(limited.origin, `/r/${live}`, { headers });
      statuses.push(answer.status);
      if (answer.status === 429) assert.equal(answer.headers['retry-after'], '60');
    }
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    assert.equal((await ask(limited.origin, '/healthz', { headers })).status, 200);
  } finally {
    await limited.stop();
  }
});

test('the Worker is small', () => {
  const size = (name) => gzipSync(readFileSync(new URL(`../build/${name}`, import.meta.url))).length;
  const bytes = size('index_bg.wasm') + size('index.js');
  console.log(`the Worker is ${bytes} bytes compressed`);
  assert.ok(bytes < 1024 * 1024);
});
