// A scan as other tools take it, and what can be measured on any GLB made from it.
import { readFileSync } from 'node:fs';
import { Document, Logger, NodeIO } from '@gltf-transform/core';
import { ALL_EXTENSIONS } from '@gltf-transform/extensions';
import { MeshoptDecoder, MeshoptEncoder } from 'meshoptimizer';
import sharp from 'sharp';

await MeshoptDecoder.ready;
await MeshoptEncoder.ready;
const logger = new Logger(Logger.Verbosity.WARN);
export const io = new NodeIO().setLogger(logger).registerExtensions(ALL_EXTENSIONS)
  .registerDependencies({ 'meshopt.decoder': MeshoptDecoder, 'meshopt.encoder': MeshoptEncoder });

const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const less = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

// The bundle's mesh and white picture, in metres, with nothing taken away.
export function whole(bundle) {
  const [points, atlas, position, uv, index, seen] = [[], [], [], [], [], new Map()];
  for (const line of readFileSync(`${bundle}/face.obj`, 'utf8').split('\n')) {
    const words = line.split(' ');
    if (words[0] === 'v') points.push(words.slice(1, 4).map(Number));
    else if (words[0] === 'vt') atlas.push(words.slice(1, 3).map(Number));
    else if (words[0] === 'f') {
      for (const corner of words.slice(1, 4)) {
        if (!seen.has(corner)) {
          const [p, t] = corner.split('/').map((n) => n - 1);
          seen.set(corner, position.length / 3);
          position.push(...points[p].map((mm) => mm / 1000));
          uv.push(atlas[t][0], 1 - atlas[t][1]);
        }
        index.push(seen.get(corner));
      }
    }
  }
  const normal = new Float32Array(position.length);
  for (let i = 0; i < index.length; i += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => position.slice(3 * index[i + k], 3 * index[i + k] + 3));
    const n = cross(less(b, a), less(c, a));
    for (let k = 0; k < 9; k += 1) normal[3 * index[i + Math.floor(k / 3)] + (k % 3)] += n[k % 3];
  }
  for (let i = 0; i < normal.length; i += 3) {
    const length = Math.hypot(normal[i], normal[i + 1], normal[i + 2]) || 1;
    for (let k = 0; k < 3; k += 1) normal[i + k] /= length;
  }
  const document = new Document().setLogger(logger);
  const buffer = document.createBuffer();
  const values = (type, array) => document.createAccessor().setType(type).setArray(array).setBuffer(buffer);
  const skin = document.createTexture().setImage(readFileSync(`${bundle}/white.png`)).setMimeType('image/png');
  const material = document.createMaterial().setBaseColorTexture(skin).setMetallicFactor(0).setRoughnessFactor(0.85);
  const primitive = document.createPrimitive()
    .setAttribute('POSITION', values('VEC3', new Float32Array(position)))
    .setAttribute('NORMAL', values('VEC3', normal))
    .setAttribute('TEXCOORD_0', values('VEC2', new Float32Array(uv)))
    .setIndices(values('SCALAR', new Uint32Array(index))).setMaterial(material);
  document.createScene().addChild(document.createNode().setMesh(document.createMesh().addPrimitive(primitive)));
  return document;
}

// Triangles in millimetres with their places in the atlas, and the picture.
export async function surface(document) {
  const node = document.getRoot().listNodes().find((n) => n.getMesh());
  const matrix = node.getWorldMatrix();
  const primitive = node.getMesh().listPrimitives()[0];
  const info = primitive.getMaterial().getBaseColorTextureInfo();
  const transform = info.getExtension('KHR_texture_transform');
  const [scale, offset] = [transform?.getScale() ?? [1, 1], transform?.getOffset() ?? [0, 0]];
  const [position, uv] = ['POSITION', 'TEXCOORD_0'].map((name) => primitive.getAttribute(name));
  const points = Array.from({ length: position.getCount() }, (_, i) => {
    const [x, y, z] = position.getElement(i, []);
    return [0, 1, 2].map((k) => 1000 * (matrix[k] * x + matrix[4 + k] * y + matrix[8 + k] * z + matrix[12 + k]));
  });
  const places = Array.from({ length: uv.getCount() }, (_, i) => (
    uv.getElement(i, []).slice(0, 2).map((v, k) => v * scale[k] + offset[k])));
  const index = primitive.getIndices().getArray();
  const picture = primitive.getMaterial().getBaseColorTexture().getImage();
  const { data, info: size } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { points, places, index, picture: { data, width: size.width, height: size.height }, bytes: picture.length };
}

// The skin seen from the front without light, a tenth of a millimetre a step at most.
export function front({ points, places, index, picture }, { low, step, width, height }) {
  const depth = new Float32Array(width * height).fill(-Infinity);
  const seen = new Float32Array(width * height * 3);
  const sample = (u, v, k) => {
    const [x, y] = [u * picture.width - 0.5, v * picture.height - 0.5];
    const [x0, y0] = [Math.floor(x), Math.floor(y)];
    const at = (i, j) => picture.data[3 * (Math.min(Math.max(j, 0), picture.height - 1) * picture.width
      + Math.min(Math.max(i, 0), picture.width - 1)) + k];
    const [fx, fy] = [x - x0, y - y0];
    return (at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx) * (1 - fy)
      + (at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx) * fy;
  };
  for (let t = 0; t < index.length; t += 3) {
    const corners = [0, 1, 2].map((k) => index[t + k]);
    const [a, b, c] = corners.map((i) => [(points[i][0] - low[0]) / step, (low[1] - points[i][1]) / step, points[i][2]]);
    const area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    if (area >= 0) continue;
    const span = (k, most) => [Math.max(0, Math.ceil(Math.min(a[k], b[k], c[k]))),
      Math.min(most - 1, Math.floor(Math.max(a[k], b[k], c[k])))];
    const [[x0, x1], [y0, y1]] = [span(0, width), span(1, height)];
    for (let y = y0; y <= y1; y += 1) {
      for (let x = x0; x <= x1; x += 1) {
        const p = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area;
        const q = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area;
        const r = 1 - p - q;
        if (p < 0 || q < 0 || r < 0) continue;
        const z = p * a[2] + q * b[2] + r * c[2];
        const i = y * width + x;
        if (z <= depth[i]) continue;
        depth[i] = z;
        const [u, v] = [0, 1].map((k) => (
          p * places[corners[0]][k] + q * places[corners[1]][k] + r * places[corners[2]][k]));
        for (let k = 0; k < 3; k += 1) seen[3 * i + k] = sample(u, v, k);
      }
    }
  }
  return { depth, seen };
}

export function psnr(reference, other) {
  let [sum, count] = [0, 0];
  for (let i = 0; i < reference.depth.length; i += 1) {
    if (reference.depth[i] === -Infinity) continue;
    for (let k = 0; k < 3; k += 1) sum += (reference.seen[3 * i + k] - other.seen[3 * i + k]) ** 2;
    count += 3;
  }
  return 10 * Math.log10((255 * 255 * count) / sum);
}

// How far a point is from a triangle.
function away(p, a, b, c) {
  const [ab, ac, ap] = [less(b, a), less(c, a), less(p, a)];
  const [d1, d2] = [dot(ab, ap), dot(ac, ap)];
  const to = (u, v) => Math.hypot(...ap.map((x, k) => x - u * ab[k] - v * ac[k]));
  if (d1 <= 0 && d2 <= 0) return to(0, 0);
  const bp = less(p, b);
  const [d3, d4] = [dot(ab, bp), dot(ac, bp)];
  if (d3 >= 0 && d4 <= d3) return to(1, 0);
  const vc = d1 * d4 - d3 * d2;
  if (vc <= 0 && d1 >= 0 && d3 <= 0) return to(d1 / (d1 - d3), 0);
  const cp = less(p, c);
  const [d5, d6] = [dot(ab, cp), dot(ac, cp)];
  if (d6 >= 0 && d5 <= d6) return to(0, 1);
  const vb = d5 * d2 - d1 * d6;
  if (vb <= 0 && d2 >= 0 && d6 <= 0) return to(0, d2 / (d2 - d6));
  const va = d3 * d6 - d5 * d4;
  if (va <= 0 && d4 - d3 >= 0 && d5 - d6 >= 0) {
    const w = (d4 - d3) / (d4 - d3 + d5 - d6);
    return to(1 - w, w);
  }
  const n = 1 / (va + vb + vc);
  return to(vb * n, vc * n);
}

// How far the scan's points lie from a model's surface, in millimetres: worst and mean.
export function departure(scan, model) {
  const cell = 4;
  const grid = new Map();
  const key = (x, y, z) => `${x},${y},${z}`;
  for (let t = 0; t < model.index.length; t += 3) {
    const corners = [0, 1, 2].map((k) => model.points[model.index[t + k]]);
    const span = [0, 1, 2].map((k) => [Math.floor(Math.min(...corners.map((p) => p[k])) / cell - 0.26),
      Math.floor(Math.max(...corners.map((p) => p[k])) / cell + 0.26)]);
    for (let x = span[0][0]; x <= span[0][1]; x += 1) {
      for (let y = span[1][0]; y <= span[1][1]; y += 1) {
        for (let z = span[2][0]; z <= span[2][1]; z += 1) {
          const at = key(x, y, z);
          if (!grid.has(at)) grid.set(at, []);
          grid.get(at).push(corners);
        }
      }
    }
  }
  let [worst, sum] = [0, 0];
  for (const p of scan.points) {
    const near = grid.get(key(...p.map((v) => Math.floor(v / cell)))) ?? [];
    // Beyond the cell's margin it would be a whole millimetre off.
    const least = near.reduce((m, t) => Math.min(m, away(p, ...t)), cell / 4);
    worst = Math.max(worst, least);
    sum += least;
  }
  return [worst, sum / scan.points.length];
}
