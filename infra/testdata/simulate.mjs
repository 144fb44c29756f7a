// Puts calls to an IAM simulator: a JSON list of calls, each with the policies that decide it, comes on standard input; a JSON list
// of verdicts goes to standard output. Run by simulate_test.go, in a process of its own.
import { getDenialReasons, getGrantReasons, runSimulation, runUnsafeSimulation } from '@cloud-copilot/iam-simulate';
import { readFileSync } from 'node:fs';

// The services through which a call came, the keys of a table's items, and the sources and types of events are lists: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
const lists = ['aws:CalledVia', 'dynamodb:LeadingKeys', 'events:source', 'events:detail-type'];
const listed = (context) => Object.fromEntries(Object.entries(context).map(([key, value]) => [key, lists.includes(key) ? [value] : value]));

async function judge({ principal, action, resource, account, context, identity, policy, endpoint }) {
  const simulation = {
    request: { principal, action, resource: { resource, accountId: account }, contextVariables: listed(context) },
    identityPolicies: identity ? [{ name: 'identity', policy: identity }] : [],
    resourcePolicy: policy ?? undefined,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    vpcEndpointPolicies: endpoint ? [{ name: 'endpoint', policy: endpoint }] : undefined,
  };
  const run = await runSimulation(simulation, {});
  if (run.resultType === 'error') {
    if (run.errors.message !== 'invalid.action') return { error: JSON.stringify(run.errors) };
    // The policies can be judged all the same, but neither the context keys, nor whether the action takes this resource.
    return { result: runUnsafeSimulation(simulation, {}), unknown: true };
  }
  const results = run.result ? [run.result] : run.results;
  const reasons = results.map((r) => r.analysis).flatMap(run.overallResult === 'Allowed' ? getGrantReasons : getDenialReasons);
  return {
    result: run.overallResult,
    by: [...new Set(reasons.map((r) => r.statementId).filter(Boolean))],
    ignored: results.flatMap((r) => r.ignoredContextKeys),
  };
}

const verdicts = [];
for (const call of JSON.parse(readFileSync(0, 'utf8'))) verdicts.push(await judge(call));
console.log(JSON.stringify(verdicts));
