// The patient's own head, to be turned: WebGL 2 without a library. It reads exactly the
// binary glTF that this product writes, and asks for it only when somebody wants to see it.
// Everything it can do is also a native button; without script or WebGL the stills remain.

const section = document.getElementById('viewer');
const canvas = section?.querySelector('canvas');
const gl = canvas?.getContext('webgl2', { antialias: true, alpha: false, powerPreference: 'low-power' });
if (gl) start();

function start() {
  const texts = JSON.parse(section.dataset.texts);
  const opening = section.querySelector('.viewer-open');
  const status = section.querySelector('[role=status]');
  const say = (text) => { status.textContent = text; };
  section.hidden = false;
  opening.addEventListener('click', async () => {
    opening.disabled = true;
    say(texts.loading);
    try {
      const viewer = new Viewer(await load(section.dataset.model), texts, say);
      section.classList.add('is-open');
      section.querySelector('.viewer-tools').hidden = false;
      opening.hidden = true;
      viewer.open();
      say('');
    } catch {
      opening.disabled = false;
      say(texts.failed);
    }
  });
}

async function load(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return readModel(await answer.arrayBuffer());
}

// A GLB with one primitive: packed and quantised positions, normals and atlas coordinates,
// the skin as WebP, and the features as records of twenty bytes.
async function readModel(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== 0x46546c67 || view.getUint32(4, true) !== 2) throw new Error('no GLB');
  const textBytes = view.getUint32(12, true);
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, textBytes)));
  const base = 20 + textBytes + 8;
  const part = (index) => {
    const own = json.bufferViews[index];
    const packed = own.extensions?.EXT_meshopt_compression;
    const { byteOffset = 0, byteLength } = packed ?? own;
    const bytes = new Uint8Array(buffer, base + byteOffset, byteLength);
    if (!packed) return { bytes, stride: own.byteStride ?? 0 };
    const { count, byteStride: stride } = packed;
    const triangles = packed.mode === 'TRIANGLES';
    const made = triangles ? unpackTriangles(bytes, count, stride) : unpackRecords(bytes, count, stride);
    if (packed.filter === 'OCTAHEDRAL') unfold(new Int8Array(made.buffer));
    return { bytes: made, stride };
  };
  const primitive = json.meshes[0].primitives[0];
  const accessor = (index) => {
    const a = json.accessors[index];
    return { ...part(a.bufferView), type: a.componentType, normalized: a.normalized ?? false, count: a.count };
  };
  const node = json.nodes[0];
  const picture = json.materials[0].pbrMetallicRoughness.baseColorTexture;
  const model = {
    position: accessor(primitive.attributes.POSITION),
    normal: accessor(primitive.attributes.NORMAL),
    uv: primitive.attributes.TEXCOORD_0 === undefined ? null : accessor(primitive.attributes.TEXCOORD_0),
    indices: accessor(primitive.indices),
    stretch: picture?.extensions?.KHR_texture_transform?.scale ?? [1, 1],
    scale: node.scale?.[0] ?? 1,
    offset: node.translation ?? [0, 0, 0],
    low: json.accessors[primitive.attributes.POSITION].min,
    high: json.accessors[primitive.attributes.POSITION].max,
    skin: null,
    features: [],
  };
  if (json.images) {
    const { bytes } = part(json.images[0].bufferView);
    model.skin = await createImageBitmap(new Blob([bytes], { type: 'image/webp' }));
  }
  const found = json.meshes[0].extras?.features;
  if (found) {
    const { bytes } = part(found.bufferView);
    const records = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < found.count; i += 1) {
      const p = 20 * i;
      const real = (k) => records.getFloat32(p + 8 + 4 * k, true);
      model.features.push({
        kind: records.getUint8(p),
        region: records.getUint8(p + 1),
        at: [0, 1, 2].map((k) => records.getUint16(p + 2 + 2 * k, true)),
        sizes: [real(0), real(1), real(2)],
      });
    }
  }
  return model;
}

// The streams of EXT_meshopt_compression: records of version 0, triangles of version 1.
const unzigzag = (v) => (v >>> 1) ^ -(v & 1);

function unpackRecords(source, count, stride) {
  if (source[0] !== 0xa0) throw new Error('no records');
  const made = new Uint8Array(count * stride);
  const last = source.slice(source.length - stride);
  const block = Math.min((0x2000 / stride) & ~15, 256);
  const deltas = new Uint8Array(256);
  let at = 1;
  for (let start = 0; start < count; start += block) {
    const size = Math.min(block, count - start);
    const groups = (size + 15) >> 4;
    for (let k = 0; k < stride; k += 1) {
      const head = at;
      at += (groups + 3) >> 2;
      for (let g = 0; g < groups; g += 1) {
        const bits = [0, 2, 4, 8][(source[head + (g >> 2)] >> (2 * (g & 3))) & 3];
        const packed = at;
        at += 2 * bits;
        const each = 8 / (bits || 8);
        const limit = (1 << bits) - 1;
        for (let i = 0; i < 16; i += 1) {
          let delta = 0;
          if (bits === 8) delta = source[packed + i];
          else if (bits) {
            delta = (source[packed + Math.floor(i / each)] >> (bits * (each - 1 - (i % each)))) & limit;
            if (delta === limit) { delta = source[at]; at += 1; }
          }
          deltas[16 * g + i] = delta;
        }
      }
      for (let i = 0; i < size; i += 1) {
        last[k] += unzigzag(deltas[i]);
        made[(start + i) * stride + k] = last[k];
      }
    }
  }
  return made;
}

function unpackTriangles(source, count, width) {
  if (source[0] !== 0xe1) throw new Error('no triangles');
  const made = new (width === 2 ? Uint16Array : Uint32Array)(count);
  const edges = new Uint32Array(32);
  const points = new Uint32Array(16);
  const table = source.length - 16;
  let [at, next, last, edge, point] = [1 + count / 3, 0, 0, 0, 0];
  const push = (v) => { points[point & 15] = v; point += 1; return v; };
  const join = (a, b) => { edges[edge & 31] = a; edges[(edge + 1) & 31] = b; edge += 2; };
  const fresh = () => { next += 1; return next - 1; };
  const recent = (back) => points[(point - 1 - back) & 15];
  const named = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = source[at];
      at += 1;
      value |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    last += unzigzag(value);
    return last;
  };
  const corner = (code) => (code === 0 ? fresh() : code === 15 ? named() : recent(code - 1));
  for (let t = 0; t < count; t += 3) {
    const code = source[1 + t / 3];
    const low = code & 15;
    let a; let b; let c;
    if (code < 0xf0) {
      const from = edge - 2 - 2 * (code >> 4);
      [a, b] = [edges[from & 31], edges[(from + 1) & 31]];
      if (low === 13 || low === 14) { last += low === 13 ? -1 : 1; c = last; }
      else c = low === 0 ? fresh() : low === 15 ? named() : recent(low);
      if (low === 0 || low > 12) push(c);
    } else {
      let both = source[table + low];
      if (low > 13) { both = source[at]; at += 1; }
      a = low < 15 ? fresh() : named();
      b = corner(both >> 4);
      c = corner(both & 15);
      push(a);
      if (both >> 4 === 0 || both >> 4 === 15) push(b);
      if ((both & 15) === 0 || (both & 15) === 15) push(c);
      join(b, a);
    }
    join(c, b);
    join(a, c);
    made.set([a, b, c], t);
  }
  return new Uint8Array(made.buffer);
}

// Unit vectors folded into an octahedron.
function unfold(values) {
  for (let i = 0; i < values.length; i += 4) {
    let [x, y] = [values[i] / values[i + 2], values[i + 1] / values[i + 2]];
    const z = 1 - Math.abs(x) - Math.abs(y);
    const t = Math.max(-z, 0);
    x -= x >= 0 ? t : -t;
    y -= y >= 0 ? t : -t;
    const length = 127 / Math.hypot(x, y, z);
    values.set([x, y, z].map((v) => Math.round(v * length)), i);
  }
}

const VERTEX = `#version 300 es
in vec3 position; in vec3 normal; in vec2 uv;
uniform mat4 view; uniform mat4 projection; uniform vec2 stretch;
out vec3 place; out vec3 facing; out vec3 eye; out vec2 at;
void main() {
  vec4 seen = view * vec4(position, 1.0);
  place = position; facing = mat3(view) * normal; eye = seen.xyz; at = uv * stretch;
  gl_Position = projection * seen;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec3 place; in vec3 facing; in vec3 eye; in vec2 at;
uniform sampler2D skin; uniform sampler2D heat;
uniform float overlay; uniform vec4 mark; uniform float unit;
out vec4 colour;
void main() {
  vec3 n = normalize(facing);
  if (!gl_FrontFacing) n = -n;
  float key = max(dot(n, normalize(vec3(-0.42, 0.52, 0.74))), 0.0);
  float fill = max(dot(n, normalize(vec3(0.68, 0.10, 0.72))), 0.0);
  float light = 0.34 + 0.55 * key + 0.24 * fill;
  vec3 own = pow(texture(skin, at).rgb, vec3(2.2));
  float tone = clamp(sqrt(dot(own, vec3(0.2126, 0.7152, 0.0722)) / 0.32), 0.2, 1.3);
  vec3 natural = own * light * 1.12;
  vec4 film = texture(heat, at);
  vec3 form = vec3(0.42, 0.415, 0.408) * tone * light;
  vec3 painted = mix(form, pow(film.rgb, vec3(2.2)) * (0.52 + 0.48 * min(tone * light, 1.15)), film.a);
  painted = mix(mix(form, vec3(0.76, 0.74, 0.70), 0.42), painted, smoothstep(0.05, 0.25, film.a));
  vec3 c = mix(natural, painted, overlay);
  if (mark.w > 0.0) {
    float away = abs(distance(place, mark.xyz) - mark.w);
    c = mix(c, vec3(1.0), 1.0 - smoothstep(0.55 * unit, 0.75 * unit, away));
    c = mix(c, vec3(0.01, 0.05, 0.06), 1.0 - smoothstep(0.25 * unit, 0.4 * unit, away));
  }
  colour = vec4(pow(c, vec3(1.0 / 2.2)), 1.0);
}`;

// One head with what is painted on it. `prefix` is what its heat maps are called.
class Head {
  constructor(model, prefix, painted) {
    Object.assign(this, { model, prefix, painted, heats: new Map() });
    // Millimetres in the model's own unit.
    this.unit = 0.001 / model.scale;
    this.centre = [0, 1, 2].map((k) => (model.low[k] + model.high[k]) / 2);
    const size = [0, 1, 2].map((k) => model.high[k] - model.low[k]);
    this.fit = 1.16 * Math.max(size[1], 1.1 * size[0]) / (2 * Math.tan(FIELD / 2)) + size[2] / 2;
  }

  prepare(program) {
    const { model } = this;
    this.heats.clear();
    this.parts = gl.createVertexArray();
    gl.bindVertexArray(this.parts);
    [['position', 3], ['normal', 3], ['uv', 2]].forEach(([name, width]) => {
      const from = model[name];
      const place = gl.getAttribLocation(program, name);
      if (!from || place < 0) return;
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, from.bytes, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, from.type, from.normalized, from.stride, 0);
    });
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, model.indices.bytes, gl.STATIC_DRAW);
    this.skin = model.skin ? texture(model.skin) : plain([184, 173, 163, 255]);
  }

  // Fetches a heat map if there is one and it is not there yet.
  async paint(name) {
    if (!name || this.heats.has(name) || !this.painted(name)) return;
    const answer = await fetch(section.dataset.heat.replace('*', this.prefix + name));
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const picture = await createImageBitmap(await answer.blob(), { premultiplyAlpha: 'none' });
    gl.activeTexture(gl.TEXTURE1);
    this.heats.set(name, texture(picture));
  }
}

class Viewer {
  constructor(model, texts, say) {
    Object.assign(this, { texts, say, shown: null, wanted: '', chosen: -1, before: null });
    this.now = new Head(model, '', () => true);
    this.heads = [this.now];
    this.marked = this.now;
    this.fit = this.now.fit;
    this.home();
    this.prepare();
    this.listen();
    const still = matchMedia('(prefers-reduced-motion: reduce)');
    this.moves = () => !still.matches;
  }

  home() {
    this.yaw = 0;
    this.pitch = 0;
    this.distance = this.fit;
  }

  open() {
    this.ask();
    if (this.moves()) this.turnTo(0, 0, { from: [-0.6, 0.12], ms: 1400 });
  }

  prepare() {
    this.program = link(VERTEX, FRAGMENT);
    gl.useProgram(this.program);
    this.at = Object.fromEntries(['view', 'projection', 'skin', 'heat', 'overlay', 'mark', 'unit', 'stretch']
      .map((name) => [name, gl.getUniformLocation(this.program, name)]));
    [this.now, this.before].forEach((head) => head?.prepare(this.program));
    this.none = plain([0, 0, 0, 0]);
    gl.enable(gl.DEPTH_TEST);
    gl.uniform1i(this.at.skin, 0);
    gl.uniform1i(this.at.heat, 1);
    this.drawn = null;
  }

  // The part of the canvas for each head, from its lower left corner: beside each other, or
  // the earlier one above where there is no room for that.
  windows(w, h) {
    if (this.heads.length === 1) return [[0, 0, w, h]];
    const [across, down] = [Math.round(w / 2), Math.round(h / 2)];
    return w > h
      ? [[0, 0, across, h], [across, 0, w - across, h]]
      : [[0, h - down, w, down], [0, 0, w, h - down]];
  }

  // Draws once, before the next frame, however often it is asked for.
  ask() {
    this.drawn ??= requestAnimationFrame(() => { this.drawn = null; this.draw(); });
  }

  matrices(head) {
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const [x, y, z] = head.centre;
    const r = [[cy, 0, sy], [sp * sy, cp, -sp * cy], [-cp * sy, sp, cp * cy]];
    const shift = r.map((row) => -(row[0] * x + row[1] * y + row[2] * z));
    // The same millimetres from both heads.
    return { r, shift: [shift[0], shift[1], shift[2] - this.distance * this.ratio(head)] };
  }

  ratio(head) {
    return head.unit / this.now.unit;
  }

  draw() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (w === 0 || h === 0) return;
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    gl.viewport(0, 0, w, h);
    const back = getComputedStyle(canvas).backgroundColor.match(/[\d.]+/g).map((c) => Number(c) / 255);
    gl.clearColor(back[0], back[1], back[2], 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    this.windows(w, h).forEach((part, i) => this.drawHead(this.heads[i], part));
    canvas.dataset.frames = Number(canvas.dataset.frames ?? 0) + 1;
  }

  drawHead(head, [left, bottom, w, h]) {
    gl.viewport(left, bottom, w, h);
    const { r, shift } = this.matrices(head);
    gl.uniformMatrix4fv(this.at.view, false, [
      r[0][0], r[1][0], r[2][0], 0, r[0][1], r[1][1], r[2][1], 0, r[0][2], r[1][2], r[2][2], 0, ...shift, 1]);
    const f = 1 / Math.tan(FIELD / 2);
    const scale = this.fit * this.ratio(head);
    const [near, far] = [scale * 0.05, scale * 4];
    const wide = Math.max(1, h / w);
    gl.uniformMatrix4fv(this.at.projection, false, [
      f * (h / w) / wide, 0, 0, 0, 0, f / wide, 0, 0,
      0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
    gl.bindVertexArray(head.parts);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, head.skin);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, head.heats.get(this.shown) ?? this.none);
    gl.uniform1f(this.at.overlay, head.heats.has(this.shown) ? 1 : 0);
    gl.uniform1f(this.at.unit, head.unit);
    gl.uniform2f(this.at.stretch, ...head.model.stretch);
    const feature = head === this.marked ? head.model.features[this.chosen] : null;
    gl.uniform4f(this.at.mark, ...(feature?.at ?? [0, 0, 0]), feature ? radius(feature, head.unit) : 0);
    gl.drawElements(gl.TRIANGLES, head.model.indices.count, head.model.indices.type, 0);
  }

  async show(name) {
    this.chosen = -1;
    this.wanted = name;
    if (name && this.heads.some((head) => !head.heats.has(name) && head.painted(name))) {
      this.say(this.texts.loading);
      try {
        await Promise.all(this.heads.map((head) => head.paint(name)));
      } catch {
        this.say(this.texts.failed);
        return;
      }
    }
    // Somebody may have chosen another one meanwhile.
    if (this.wanted !== name) return;
    this.shown = name;
    this.say('');
    this.ask();
  }

  // The scan before beside this one, or this one alone again.
  async compare(button) {
    if (this.heads.length === 2) {
      this.heads = [this.now];
    } else {
      if (!this.before) {
        button.disabled = true;
        this.say(this.texts.loading);
        try {
          const painted = section.dataset.beforeHeats.split(' ');
          const head = new Head(await load(section.dataset.before), 'previous_', (name) => painted.includes(name));
          head.prepare(this.program);
          this.before = head;
        } catch {
          this.say(this.texts.beforeFailed);
          return;
        } finally {
          button.disabled = false;
          button.focus();
        }
      }
      this.heads = [this.before, this.now];
    }
    const both = this.heads.length === 2;
    button.setAttribute('aria-pressed', both);
    section.classList.toggle('is-compared', both);
    canvas.setAttribute('aria-label', both ? this.texts.both : this.texts.canvas);
    this.marked = this.now;
    await this.show(this.wanted);
  }

  // The features that belong to what is shown, the largest first.
  listed(head = this.now) {
    const kind = ['wrinkles', 'pores', 'pigmentation', 'redness'].indexOf(this.shown);
    const { features } = head.model;
    return features.map((f, i) => i)
      .filter((i) => (this.shown ? features[i].kind === kind : features[i].kind !== 1))
      .sort((a, b) => features[a].kind - features[b].kind || features[b].sizes[0] - features[a].sizes[0] || a - b);
  }

  choose(index, { place, count, head = this.now } = {}) {
    [this.chosen, this.marked] = [index, head];
    const feature = head.model.features[index];
    this.ask();
    if (!feature) { this.say(this.texts.nothing); return; }
    const digits = (v, n) => new Intl.NumberFormat(document.documentElement.lang,
      { minimumFractionDigits: n, maximumFractionDigits: n }).format(v);
    const [a, b, c] = feature.sizes;
    const words = this.texts.kinds[feature.kind]
      .replace('{a}', digits(a, feature.kind === 1 ? 2 : 1))
      .replace('{b}', digits(b, feature.kind === 0 ? 2 : 1));
    const depth = feature.kind === 0 && Number.isFinite(c) ? this.texts.depth.replace('{c}', digits(c, 2)) : '';
    const then = head === this.now ? '' : `${this.texts.then}. `;
    const which = count ? this.texts.which.replace('{n}', place).replace('{of}', count) : '';
    this.say(`${then}${which}${this.texts.regions[feature.region]}: ${words}${depth}.`);
  }

  step(by) {
    const all = this.listed();
    if (all.length === 0) { this.say(this.texts.nothing); return; }
    const now = this.marked === this.now ? all.indexOf(this.chosen) : -1;
    const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : (now + by + all.length) % all.length;
    this.choose(all[next], { place: next + 1, count: all.length });
    const [x, y, z] = this.now.model.features[all[next]].at.map((v, k) => v - this.now.centre[k]);
    const depth = z + this.fit * 0.18;
    this.turnTo(-Math.atan2(x, depth) * 0.9, Math.max(-0.6, Math.min(0.6, Math.atan2(y, depth) * 0.5)));
  }

  turnTo(yaw, pitch, { from = [this.yaw, this.pitch], ms = 500 } = {}) {
    cancelAnimationFrame(this.turning);
    const finish = () => { [this.yaw, this.pitch] = [yaw, pitch]; this.ask(); };
    if (!this.moves()) { finish(); return; }
    const begin = performance.now();
    const frame = (now) => {
      const t = Math.min(1, Math.max(0, (now - begin) / ms));
      if (t === 1) { finish(); return; }
      const ease = 1 - (1 - t) ** 3;
      this.yaw = from[0] + (yaw - from[0]) * ease;
      this.pitch = from[1] + (pitch - from[1]) * ease;
      this.ask();
      this.turning = requestAnimationFrame(frame);
    };
    this.turning = requestAnimationFrame(frame);
  }

  turn(yaw, pitch) {
    cancelAnimationFrame(this.turning);
    this.yaw = Math.max(-2.4, Math.min(2.4, this.yaw + yaw));
    this.pitch = Math.max(-1.2, Math.min(1.2, this.pitch + pitch));
    this.ask();
  }

  zoom(factor) {
    this.distance = Math.max(this.fit * 0.3, Math.min(this.fit * 1.6, this.distance / factor));
    this.ask();
  }

  // The head under a point of the canvas, and where the ray through it meets that head: at
  // the nearest triangle.
  hit(px, py) {
    const box = canvas.getBoundingClientRect();
    const [fromLeft, fromBottom] = [px - box.left, box.bottom - py];
    const parts = this.windows(box.width, box.height);
    const inside = ([left, bottom, w, h]) => fromLeft >= left && fromLeft < left + w
      && fromBottom >= bottom && fromBottom < bottom + h;
    const index = Math.max(0, parts.findIndex(inside));
    const head = this.heads[index];
    const [left, bottom, w, h] = parts[index];
    const slope = Math.tan(FIELD / 2) * Math.max(1, h / w);
    const x = ((fromLeft - left) / w * 2 - 1) * slope * (w / h);
    const y = ((fromBottom - bottom) / h * 2 - 1) * slope;
    const { r, shift } = this.matrices(head);
    const back = (v) => [0, 1, 2].map((k) => r[0][k] * v[0] + r[1][k] * v[1] + r[2][k] * v[2]);
    const [eye, ray] = [back(shift.map((s) => -s)), back([x, y, -1])];
    const { position, indices } = head.model;
    const points = new DataView(position.bytes.buffer, position.bytes.byteOffset, position.bytes.byteLength);
    const corners = new (indices.type === gl.UNSIGNED_SHORT ? Uint16Array : Uint32Array)(indices.bytes.buffer);
    const read = position.type === gl.FLOAT ? (o) => points.getFloat32(o, true) : (o) => points.getUint16(o, true);
    const [size, stride] = position.type === gl.FLOAT ? [4, position.stride || 12] : [2, position.stride || 6];
    const corner = (i, k) => read(corners[i] * stride + k * size);
    let nearest = Infinity;
    for (let i = 0; i < corners.length; i += 3) {
      const a = [corner(i, 0), corner(i, 1), corner(i, 2)];
      const u = [0, 1, 2].map((k) => corner(i + 1, k) - a[k]);
      const v = [0, 1, 2].map((k) => corner(i + 2, k) - a[k]);
      const p = cross(ray, v);
      const det = dot(u, p);
      if (Math.abs(det) < 1e-9) continue;
      const s = [0, 1, 2].map((k) => eye[k] - a[k]);
      const bu = dot(s, p) / det;
      if (bu < 0 || bu > 1) continue;
      const q = cross(s, u);
      const bv = dot(ray, q) / det;
      if (bv < 0 || bu + bv > 1) continue;
      const t = dot(v, q) / det;
      if (t > 0 && t < nearest) nearest = t;
    }
    return { head, point: nearest === Infinity ? null : eye.map((e, k) => e + nearest * ray[k]) };
  }

  // The feature nearest to where somebody tapped, within reach of a finger.
  tap(px, py) {
    const { head, point } = this.hit(px, py);
    let [best, reach] = [-1, 0];
    if (point) {
      for (const i of this.listed(head)) {
        const f = head.model.features[i];
        const away = Math.hypot(...f.at.map((c, k) => c - point[k])) - radius(f, head.unit);
        if (away < 3 * head.unit && (best < 0 || away < reach)) [best, reach] = [i, away];
      }
    }
    this.choose(best, { head });
  }

  listen() {
    const pointers = new Map();
    let moved = 0;
    canvas.addEventListener('pointerdown', (e) => {
      canvas.setPointerCapture(e.pointerId);
      pointers.set(e.pointerId, [e.clientX, e.clientY]);
      moved = 0;
    });
    canvas.addEventListener('pointermove', (e) => {
      const last = pointers.get(e.pointerId);
      if (!last) return;
      const others = [...pointers].filter(([id]) => id !== e.pointerId).map(([, at]) => at);
      const [dx, dy] = [e.clientX - last[0], e.clientY - last[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      if (others.length > 0) {
        const before = Math.hypot(last[0] - others[0][0], last[1] - others[0][1]);
        const after = Math.hypot(e.clientX - others[0][0], e.clientY - others[0][1]);
        if (before > 0 && after > 0) this.zoom(after / before);
      } else {
        this.turn(dx * 0.008, e.pointerType === 'touch' ? 0 : dy * 0.008);
      }
      pointers.set(e.pointerId, [e.clientX, e.clientY]);
    });
    const end = (e) => {
      if (pointers.delete(e.pointerId) && e.type === 'pointerup' && moved < 6) this.tap(e.clientX, e.clientY);
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
    // The wheel scrolls the page unless the head was chosen first.
    canvas.addEventListener('wheel', (e) => {
      if (!e.ctrlKey && document.activeElement !== canvas) return;
      e.preventDefault();
      this.zoom(Math.exp(-e.deltaY * 0.0015));
    }, { passive: false });
    const acts = {
      left: () => this.turn(-0.2, 0),
      right: () => this.turn(0.2, 0),
      up: () => this.turn(0, -0.15),
      down: () => this.turn(0, 0.15),
      nearer: () => this.zoom(1.2),
      farther: () => this.zoom(1 / 1.2),
      reset: () => { this.distance = this.fit; this.turnTo(0, 0); },
      next: () => this.step(1),
      previous: () => this.step(-1),
      compare: (e) => this.compare(e.currentTarget),
    };
    const keys = {
      ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down', '+': 'nearer', '=': 'nearer',
      '-': 'farther', Home: 'reset', PageDown: 'next', PageUp: 'previous',
    };
    canvas.addEventListener('keydown', (e) => {
      const act = acts[keys[e.key]];
      if (!act || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      act();
    });
    for (const button of section.querySelectorAll('button[data-act]')) {
      button.addEventListener('click', acts[button.dataset.act]);
    }
    for (const choice of section.querySelectorAll('input[name=overlay]')) {
      choice.addEventListener('change', () => this.show(choice.value));
    }
    new ResizeObserver(() => this.ask()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.ask());
    canvas.addEventListener('webglcontextlost', (e) => e.preventDefault());
    canvas.addEventListener('webglcontextrestored', () => {
      this.shown = null;
      this.wanted = '';
      section.querySelector('input[name=overlay]').checked = true;
      this.prepare();
      this.ask();
    });
  }
}

const FIELD = 0.5;

// The ring around a feature, in the unit of its model.
function radius({ kind, sizes }, unit) {
  const mm = [sizes[0] / 2, sizes[0] / 2, Math.sqrt(sizes[0] / Math.PI), Math.sqrt(sizes[0] / Math.PI)][kind];
  return (Math.min(mm, 12) + 1.6) * unit;
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

function link(vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error('the shaders do not link');
  return program;
}

function texture(picture) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  const sharper = gl.getExtension('EXT_texture_filter_anisotropic');
  if (sharper) gl.texParameterf(gl.TEXTURE_2D, sharper.TEXTURE_MAX_ANISOTROPY_EXT, 4);
  return made;
}

function plain(rgba) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(rgba));
  return made;
}
