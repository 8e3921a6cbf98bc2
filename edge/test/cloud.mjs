// An emulated S3 and the Worker in its real runtime (workerd), on loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { Miniflare, Log, LogLevel } from 'miniflare';

export const BUCKET = 'reports-under-test';
const built = (name) => fileURLToPath(new URL(`../build/${name}`, import.meta.url));

async function freePort() {
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
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: 'eu-central-1',
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
  return {
    origin,
    async put(report, name, body, metadata) {
      const headers = { 'content-length': Buffer.byteLength(body) };
      for (const [key, value] of Object.entries(metadata)) headers[`x-amz-meta-${key}`] = value;
      const path = `/${BUCKET}/reports/${report}/${name}`;
      const answer = await ask(origin, path, { method: 'PUT', headers, body });
      if (answer.status !== 200) throw new Error(`the store answered ${answer.status}`);
    },
    async stop() {
      server.kill();
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  };
}

/** Starts the built Worker; `bindings` override its configuration. */
export async function startWorker(store, keys, bindings = {}, options = {}) {
  const worker = new Miniflare({
    log: new Log(LogLevel.NONE),
    host: '127.0.0.1',
    port: 0,
    modules: [
      { type: 'ESModule', path: built('index.js') },
      { type: 'CompiledWasm', path: built('index_bg.wasm') },
    ],
    compatibilityDate: '2026-04-01',
    bindings: {
      LINK_PUBLIC_KEYS: keys.map((key) => key.public).join(','),
      S3_ENDPOINT: store.origin,
      S3_REGION: 'eu-central-1',
      S3_BUCKET: BUCKET,
      S3_ACCESS_KEY_ID: 'test',
      S3_SECRET_ACCESS_KEY: 'test',
      ...bindings,
    },
    ...options,
  });
  const origin = (await worker.ready).origin;
  return { origin, stop: () => worker.dispose() };
}
