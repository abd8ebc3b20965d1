// What Kubernetes makes of a rendered pod: the environment, the arguments and the files of its container.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** `$(NAME)` of a variable that is defined earlier is replaced, `$$(NAME)` stands for `$(NAME)`; all else stays. */
function expand(value, known) {
  return value.replace(/\$\$|\$\(([^()]+)\)/g, (found, name) => (found === '$$' ? '$' : (known.get(name) ?? found)));
}

const fieldOf = (pod, path) => {
  const fields = { 'status.podIP': pod.ip, 'metadata.name': pod.name, 'metadata.namespace': pod.namespace };
  if (!(path in fields)) throw new Error(`the test knows no field ${path}`);
  return fields[path];
};

const entryOf = (maps, kind, { name, key }) => {
  const value = maps[name]?.[key];
  if (value === undefined) throw new Error(`there is no ${kind} ${name} with the key ${key}`);
  return value;
};

function environmentOf(container, pod) {
  const known = new Map();
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) known.set(name, fieldOf(pod, valueFrom.fieldRef.fieldPath));
    else if (valueFrom) throw new Error(`the test reads no ${Object.keys(valueFrom)} in ${name}`);
    else known.set(name, expand(value ?? '', known));
  }
  return known;
}

/** The files of a volume, by name; undefined for a volume that is empty at first. */
function filesOf(volume, objects, secrets) {
  const configMaps = Object.fromEntries(objects.of('ConfigMap').map(({ metadata, data }) => [metadata.name, data]));
  if (volume.configMap) return configMaps[volume.configMap.name] ?? entryOf(configMaps, 'ConfigMap', volume.configMap);
  if (volume.projected) {
    const items = volume.projected.sources.flatMap(({ secret }) => secret.items.map((item) => ({ ...item, name: secret.name })));
    return Object.fromEntries(items.map((item) => [item.path, entryOf(secrets, 'Secret', item)]));
  }
  if (volume.claim) return undefined;
  throw new Error(`the test knows no volume like ${JSON.stringify(volume)}`);
}

/**
 * Prepares the container of a workload in `folder`, for the script `container`. `pod` is `{ name, namespace, ip }`, `hosts` has lines of
 * /etc/hosts, `secrets` the content of each Secret: `{ name: { key: value } }`.
 *
 * Returns `{ root, program, args, env, spec }`. The program is that of the image: its ENTRYPOINT.
 */
export function prepare(workload, { objects, secrets, pod, hosts = '', folder }) {
  const { spec } = workload.spec.template;
  const [container] = spec.containers;
  const root = join(folder, `${pod.name}-${pod.ip}`);
  const claims = (workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => ({ name: metadata.name, claim: true }));
  const volumes = new Map([...(spec.volumes ?? []), ...claims].map((volume) => [volume.name, volume]));
  const write = (path, content) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode: 0o440 });
  };
  const writable = [];
  for (const { name, mountPath, readOnly } of container.volumeMounts) {
    if (!volumes.has(name)) throw new Error(`there is no volume ${name}`);
    const files = filesOf(volumes.get(name), objects, secrets);
    mkdirSync(join(root, mountPath), { recursive: true });
    for (const [file, content] of Object.entries(files ?? {})) write(join(mountPath, file), content);
    if (!readOnly) writable.push(mountPath);
  }
  write('/etc/hosts', hosts);
  const env = environmentOf(container, pod);
  writeFileSync(`${root}.env`, [...env].map(([name, value]) => `${name}=${value}\n`).join(''));
  writeFileSync(`${root}.volumes`, writable.map((path) => `${path}\n`).join(''));
  const program = `/usr/local/bin/${container.image.replace(/^.*\/|:[^:]*$/g, '')}`;
  return { root, program, args: container.args ?? [], env, spec, container };
}
