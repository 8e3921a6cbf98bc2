// What touches the runtime several times over for one request, gathered: each call out of
// WebAssembly costs, and so does each text that crosses. Nothing is decided here.

/**
 * The values of headers, a line each: `=value`, or nothing where there is no such header.
 * No value holds a line feed (RFC 9110, section 5.5).
 */
function lines(headers, names) {
  let text = '';
  for (const name of names) {
    const value = headers.get(name);
    text += value === null ? '\n' : `=${value}\n`;
  }
  return text;
}

/** Method, address and headers; of a request with a body, `sent` as well. */
export function describeRequest(request, read, sent) {
  const { method, url, headers } = request;
  const ofBody = method === 'POST' ? lines(headers, sent) : '';
  return `${method}\n${url}\n${lines(headers, read)}${ofBody}`;
}

/** Status and headers. */
export function describeResponse(response, names) {
  return `${response.status}\n${lines(response.headers, names)}`;
}

/** Promises the answer to a GET that no cache answers or keeps; nothing if none begins in time. */
export function get(address, range, patienceMs) {
  const init = { cache: 'no-store', redirect: 'manual' };
  if (range !== undefined) init.headers = { range };
  return new Promise((resolve) => {
    // Where it is late, the runtime ends what is still asked for with this request's answer.
    const timer = setTimeout(resolve, patienceMs);
    const end = (answer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    fetch(address, init).then(end, () => end());
  });
}

/** An answer: `own` headers, names and values in turn a line each, beside the common ones. */
export function respond(body, status, common, own) {
  const headers = new Headers(common);
  if (own !== '') {
    const parts = own.split('\n');
    for (let i = 1; i < parts.length; i += 2) headers.set(parts[i - 1], parts[i]);
  }
  return new Response(body, { status, headers });
}
