// Which connections NetworkPolicies allow, as Kubernetes defines it.

import { isSubset } from './chart.mjs';

const matches = ({ matchLabels = {}, matchExpressions, ...others }, labels) => {
  if (matchExpressions || Object.keys(others).length > 0) throw new Error('this test reads only matchLabels');
  return isSubset(matchLabels, labels);
};

/** Whether a peer of a rule is this pod `{ namespace, labels }`. The policy is in `home`. */
function isPeer({ podSelector, namespaceSelector, ipBlock }, { namespace, labels }, home) {
  if (ipBlock) throw new Error('this test reads no ipBlock');
  const here = namespaceSelector ? matches(namespaceSelector, { 'kubernetes.io/metadata.name': namespace }) : namespace === home;
  return here && (!podSelector || matches(podSelector, labels));
}

/** Whether `from` reaches the port with this name and number of a pod with these labels. Without a policy for the pod, everybody does. */
export function reaches(policies, home, from, { labels, port }) {
  const own = policies.filter(({ spec }) => spec.policyTypes.includes('Ingress') && matches(spec.podSelector, labels));
  const isPort = (entry) => entry.port === undefined || entry.port === port.name || entry.port === port.containerPort;
  const allows = (rule) => (!rule.ports || rule.ports.some(isPort)) && (!rule.from || rule.from.some((peer) => isPeer(peer, from, home)));
  return own.length === 0 || own.some(({ spec }) => (spec.ingress ?? []).some(allows));
}
