// Emulated S3 and SQS, and the Worker in its real runtime (workerd), on loopback.
import { spawn } from 'node:child_process';
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { Miniflare, Log, LogLevel } from 'miniflare';

export const BUCKET = 'reports-under-test';
const REGION = 'eu-central-1';
const QUEUES = ['accesses', 'requests'];
const ACCESS_KEY = { id: 'test', secret: 'test' };
const built = (name) => fileURLToPath(new URL(`../build/${name}`, import.meta.url));

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** One request whose path reaches the server exactly as written. */
export function ask(origin, path, { method = 'GET', headers = {}, body } = {}) {
  const { hostname, port } = new URL(origin);
  // The runtime closes a connection whose body was left unread, so such a one is not reused.
  const agent = body === undefined ? undefined : false;
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, method, headers, agent };
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(chunks),
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Starts the emulation of S3, and makes the bucket. */
export async function startStore() {
  const program = process.env.MINISTACK;
  if (!program) {
    throw new Error('MINISTACK does not name the S3 emulation: run `cargo xtask test --only edge`');
  }
  const port = await freePort();
  const server = spawn(program, {
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      BIND_HOST: '127.0.0.1',
      // Its gateway for devices listens on every interface unless told not to.
      IOT_MTLS_ENABLED: '0',
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: REGION,
    },
  });
  const origin = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if ((await ask(origin, `/${BUCKET}`, { method: 'PUT' })).status === 200) break;
    } catch (error) {
      if (attempt === 100) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const queues = await startQueues(origin);
  return {
    origin,
    queues,
    async put(report, name, body, metadata) {
      const headers = { 'content-length': Buffer.byteLength(body) };
      for (const [key, value] of Object.entries(metadata)) headers[`x-amz-meta-${key}`] = value;
      const path = `/${BUCKET}/reports/${report}/${name}`;
      const answer = await ask(origin, path, { method: 'PUT', headers, body });
      if (answer.status !== 200) throw new Error(`the store answered ${answer.status}`);
    },
    async stop() {
      await queues.stop();
      server.kill();
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  };
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

/** Whether a request to SQS bears the right signature, by the rules of Signature Version 4. */
function isSigned(request, body) {
  const stated = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/
    .exec(request.headers.authorization ?? '');
  if (!stated) return false;
  const [, id, scope, names, signature] = stated;
  const date = request.headers['x-amz-date'];
  if (id !== ACCESS_KEY.id || scope !== `${date.slice(0, 8)}/${REGION}/sqs/aws4_request`) return false;
  const age = Date.now() - Date.parse(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
  if (Math.abs(age) > 60_000 || !names.split(';').includes('host')) return false;
  const headers = names.split(';').map((name) => `${name}:${request.headers[name].trim()}\n`).join('');
  const canonical = [request.method, request.url, '', headers, names, sha256(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce(hmac, `AWS4${ACCESS_KEY.secret}`);
  return timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'));
}

/** The queues of the emulation, behind a door that checks signatures as AWS does. */
async function startQueues(emulation) {
  const call = async (target, body) => {
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `AmazonSQS.${target}`,
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/sqs/aws4_request, SignedHeaders=host, Signature=0`,
    };
    const answer = await ask(emulation, '/', { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: answer.status, text: answer.text, json: answer.text ? JSON.parse(answer.text) : {} };
  };
  const urls = {};
  for (const QueueName of QUEUES) urls[QueueName] = (await call('CreateQueue', { QueueName })).json.QueueUrl;
  let isOpen = true;
  const refused = [];
  const door = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    if (!isOpen || !isSigned(request, body)) {
      if (isOpen) refused.push(request.headers.authorization);
      response.writeHead(isOpen ? 403 : 503).end();
      return;
    }
    const { QueueUrl, ...rest } = JSON.parse(body);
    const name = new URL(QueueUrl).pathname.split('/').at(-1);
    const [, action] = /^AmazonSQS\.(SendMessage|SendMessageBatch)$/.exec(request.headers['x-amz-target']);
    const sent = await call(action, { QueueUrl: urls[name], ...rest });
    response.writeHead(sent.status, { 'content-type': 'application/x-amz-json-1.0' }).end(sent.text);
  });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  const { port } = door.address();
  return {
    refused,
    url: (name) => `http://127.0.0.1:${port}/000000000000/${name}`,
    open(yes) {
      isOpen = yes;
    },
    /** Takes what lies in a queue, waiting until there are at least so many. */
    async take(name, atLeast = 0) {
      const bodies = [];
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const { json } = await call('ReceiveMessage', { QueueUrl: urls[name], MaxNumberOfMessages: 10 });
        for (const message of json.Messages ?? []) {
          bodies.push(message.Body);
          await call('DeleteMessage', { QueueUrl: urls[name], ReceiptHandle: message.ReceiptHandle });
        }
        if ((json.Messages ?? []).length === 0) {
          if (bodies.length >= atLeast) break;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
      return bodies;
    },
    async stop() {
      door.closeAllConnections();
      door.close();
      await once(door, 'close');
    },
  };
}

/** Starts the built Worker; `bindings` override its configuration, `front` is a module before it. */
export async function startWorker(store, keys, bindings = {}, options = {}, front = undefined) {
  const worker = new Miniflare({
    log: new Log(LogLevel.NONE),
    host: '127.0.0.1',
    port: 0,
    // Wherever the tests are run from.
    modulesRoot: built(''),
    modules: [
      ...(front ? [{ type: 'ESModule', path: built('front.mjs'), contents: front }] : []),
      { type: 'ESModule', path: built('index.js') },
      { type: 'CompiledWasm', path: built('index_bg.wasm') },
    ],
    compatibilityDate: '2026-04-01',
    bindings: {
      LINK_PUBLIC_KEYS: keys.map((key) => key.public).join(','),
      S3_ENDPOINT: store.origin,
      S3_REGION: REGION,
      S3_BUCKET: BUCKET,
      S3_ACCESS_KEY_ID: ACCESS_KEY.id,
      S3_SECRET_ACCESS_KEY: ACCESS_KEY.secret,
      SESSION_KEY: Buffer.alloc(32, 5).toString('base64url'),
      ACCESS_QUEUE_URL: store.queues?.url('accesses') ?? 'http://127.0.0.1:9/0/accesses',
      REQUEST_QUEUE_URL: store.queues?.url('requests') ?? 'http://127.0.0.1:9/0/requests',
      ...bindings,
    },
    durableObjects: { TALLIES: { className: 'Tallies', useSQLite: true } },
    ...options,
  });
  const origin = (await worker.ready).origin;
  return { origin, stop: () => worker.dispose() };
}
