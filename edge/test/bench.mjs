// Requests a second and latency of the Worker on loopback, against a plain Worker that
// streams the same object unverified. Both run in workerd, before the same small origin.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { availableParallelism, loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { readFileSync, readdirSync } from 'node:fs';
import { Worker as Thread, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { Miniflare, Log, LogLevel } from 'miniflare';
import { startWorker } from './cloud.mjs';
import { Key } from './links.mjs';

const REPORT = '000102030405060708090a0b0c0d0e0f';
const SECONDS = Number(process.env.BENCH_SECONDS ?? 0.4);
// Until the runtime has compiled what is asked for often, or is given up on.
const WARM_UP_REQUESTS = 6000;
const WARM_UP_SECONDS = 15;
const CONNECTIONS = 16;
// Short and many: whatever else the machine does then meets both alike.
const ROUNDS = 31;
// A page, its stills, the model and its maps: so many requests come by one link.
const REQUESTS_OF_A_VISIT = 12;
const LINKS = 2000;
const STYLE = createHash('sha256').update('x').digest('base64');

/** S3 and SQS that answer at once, on a thread of their own: no signature is checked. */
async function origin() {
  const { bytes } = workerData;
  const body = Buffer.alloc(bytes, 'report ');
  const server = http.createServer((request, response) => {
    request.resume();
    if (request.method === 'POST') {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}');
      return;
    }
    response.writeHead(200, {
      'content-length': bytes,
      'content-type': 'text/html; charset=utf-8',
      etag: '"0123456789abcdef"',
      'x-amz-meta-epoch': '0',
      'x-amz-meta-csp-style-sha256': STYLE,
    });
    response.end(body);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  parentPort.postMessage(server.address().port);
}

async function startOrigin(bytes) {
  const thread = new Thread(new URL(import.meta.url), { workerData: { bytes } });
  const [port] = await once(thread, 'message');
  const origin = `http://127.0.0.1:${port}`;
  return { origin, queues: { url: (name) => `${origin}/0/${name}` }, stop: () => thread.terminate() };
}

/** The same bytes by a Worker that does nothing but pass them on; with a record of it if asked. */
async function startPlain(store, withRecord) {
  const address = JSON.stringify(`${store.origin}/object`);
  const record = withRecord
    ? `context.waitUntil(fetch(${address}, { method: 'POST', body: '{}' }).then((r) => r.arrayBuffer()));`
    : '';
  const worker = new Miniflare({
    log: new Log(LogLevel.NONE),
    host: '127.0.0.1',
    port: 0,
    modules: true,
    compatibilityDate: '2026-04-01',
    script: `export default { fetch: (request, env, context) => {
      ${record}
      return fetch(${address}, { cache: 'no-store' });
    } }`,
  });
  const started = (await worker.ready).origin;
  return { origin: started, stop: () => worker.dispose() };
}

/** Paths of a file, so many by each link; more links than the Worker remembers. */
function paths(key, file, perLink) {
  const links = Array.from(
    { length: LINKS },
    (_, n) => `/r/${key.token({ report: REPORT, expiresIn: 3600 + n })}${file}`,
  );
  let count = 0;
  return () => {
    const path = links[Math.floor(count / perLink) % LINKS];
    count += 1;
    return path;
  };
}

/** Sends requests over open connections for a while; gives the times in ms, sorted. */
async function load(target, pathOf, seconds, connections = CONNECTIONS, pid = undefined) {
  const { hostname, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const times = [];
  const end = performance.now() + seconds * 1000;
  const one = () => new Promise((resolve, reject) => {
    const begin = performance.now();
    const request = http.get({ hostname, port, path: pathOf(), agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      response.resume();
      response.on('end', () => {
        times.push(performance.now() - begin);
        resolve();
      });
    });
    request.on('error', reject);
  });
  const spent = () => runtimes().get(pid) ?? 0;
  const spentBefore = spent();
  const begin = performance.now();
  await Promise.all(Array.from({ length: connections }, async () => {
    do await one(); while (performance.now() < end);
  }));
  const elapsed = (performance.now() - begin) / 1000;
  const processor = (spent() - spentBefore) / times.length;
  agent.destroy();
  times.sort((a, b) => a - b);
  return { count: times.length, processor, perSecond: times.length / elapsed, median: times[times.length >> 1], p95: times[Math.floor(times.length * 0.95)] };
}

/** Processor time of the runtimes under this process, by pid, in ms (Linux). */
function runtimes() {
  const times = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      // Field 4 of proc(5) is the parent.
      if (name !== 'workerd' || Number(rest.split(' ')[1]) !== process.pid) continue;
      const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
        Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6);
      times.set(pid, threads.reduce((sum, ms) => sum + ms, 0));
    } catch {
      // It has ended meanwhile.
    }
  }
  return times;
}

/** Processor time that starting a Worker takes, up to its first answer. */
async function startUp(start, pathOf) {
  const known = runtimes();
  const worker = await start();
  await load(worker.origin, pathOf, 0, 1);
  const [[pid, ms]] = [...runtimes()].filter(([started]) => !known.has(started));
  return { worker, pid, ms: Math.round(ms) };
}

async function warmUp(target, pathOf) {
  const end = performance.now() + WARM_UP_SECONDS * 1000;
  for (let sent = 0; sent < WARM_UP_REQUESTS && performance.now() < end;) {
    sent += (await load(target, pathOf, 0.5)).count;
  }
}

const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[list.length >> 1];
/** The middle half of a list. */
const spread = (list) => [0.25, 0.75].map((part) => sorted(list)[Math.floor(list.length * part)].toFixed(2)).join(' to ');

async function main() {
  const built = ['index_bg.wasm', 'index.js'].map((name) => readFileSync(new URL(`../build/${name}`, import.meta.url)));
  const sum = (of) => built.reduce((total, file) => total + of(file).length, 0);
  console.log(`size       ${sum((file) => file)} bytes, ${sum(gzipSync)} compressed (limit 1048576)`);
  const key = new Key(1, 11);
  console.log(`load       ${loadavg().map((load) => load.toFixed(1)).join(', ')} before this, on ${availableParallelism()} processors`);
  let worst = Infinity;
  for (const { name, file, bytes, withRecord, perLink, isHeld } of [
    { name: 'picture', file: '/still_front.webp', bytes: 150_000, isHeld: true },
    { name: 'model', file: '/scan.glb', bytes: 1_500_000, isHeld: true },
    // A page leaves a record of its access, sent after the answer. The plain Worker sends
    // one too; against one that sends none it is shown, and held to no limit.
    { name: 'page, both with a record', file: '', bytes: 150_000, withRecord: true, isHeld: true },
    { name: 'page with a record, plain without', file: '', bytes: 150_000, isHeld: false },
    // The most that verification can cost: no link is asked for twice.
    { name: 'picture, each by another link', file: '/still_front.webp', bytes: 150_000, perLink: 1, isHeld: false },
  ]) {
    const store = await startOrigin(bytes);
    const pathOf = paths(key, file, perLink ?? REQUESTS_OF_A_VISIT);
    const { worker: plain, pid: plainPid, ms: plainMs } = await startUp(() => startPlain(store, withRecord), pathOf);
    const { worker: edge, pid: edgePid, ms: edgeMs } = await startUp(() => startWorker(store, [key]), pathOf);
    console.log(`${name}, ${bytes} bytes`);
    console.log(`  start-up to the first answer: ${edgeMs} ms of processor time, ${plainMs} ms for a plain Worker`);
    await warmUp(edge.origin, pathOf);
    await warmUp(plain.origin, pathOf);
    const ratios = [];
    const processors = [];
    const results = { plain: [], edge: [] };
    // Turn about, so that both meet the same disturbances.
    for (let round = 0; round < ROUNDS; round += 1) {
      const ofPlain = () => load(plain.origin, pathOf, SECONDS, CONNECTIONS, plainPid);
      const ofEdge = () => load(edge.origin, pathOf, SECONDS, CONNECTIONS, edgePid);
      let [a, b] = [];
      // Neither is always the one that comes second.
      if (round % 2 === 0) {
        a = await ofPlain();
        b = await ofEdge();
      } else {
        b = await ofEdge();
        a = await ofPlain();
      }
      results.plain.push(a);
      results.edge.push(b);
      ratios.push(b.perSecond / a.perSecond);
      processors.push(a.processor / b.processor);
    }
    for (const kind of ['plain', 'edge']) {
      const of = (field) => median(results[kind].map((r) => r[field])).toFixed(1);
      console.log(`  ${kind.padEnd(6)} ${of('perSecond').padStart(8)} requests/s, median ${of('median')} ms, p95 ${of('p95')} ms, ${median(results[kind].map((r) => r.processor)).toFixed(2)} ms of processor time each`);
    }
    const added = median(results.edge.map((r, i) => r.median - results.plain[i].median));
    const ratio = median(ratios);
    if (isHeld) worst = Math.min(worst, ratio);
    const limit = isHeld ? ' (limit 0.7)' : '';
    console.log(`  ratio  ${ratio.toFixed(2)}${limit}, half of the rounds ${spread(ratios)}; by processor time ${median(processors).toFixed(2)}, ${spread(processors)}`);
    console.log(`  added latency ${added.toFixed(2)} ms at ${CONNECTIONS} connections`);
    await edge.stop();
    await plain.stop();
    await store.stop();
  }
  if (worst < 0.7) {
    console.error(`the Worker reaches ${worst.toFixed(2)} of a plain one's rate; 0.7 is the least`);
    process.exitCode = 1;
  }
}

await (isMainThread ? main() : origin());
