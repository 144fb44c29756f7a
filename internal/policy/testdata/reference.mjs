// Asks Cedar's reference implementation about policies: which it takes against a schema, and what they decide.
// In: {"schema", "requests": [a call without policies], "policies": [{"text", "judge"}]}.
// Out: a list of {"error", "answers": [{"allow", "reasons", "errors"}]}, policies by their place in the text.
import cedar from '@cedar-policy/cedar-wasm/nodejs';

const given = JSON.parse(await new Promise((done) => {
  let text = '';
  process.stdin.on('data', (part) => (text += part)).on('end', () => done(text));
}));

const schema = cedar.schemaToJson(given.schema).json; // which it reads faster

const said = (errors) => errors.map((e) => (e.error ?? e).message).join('; ');

// fault is what it has against a text, or "".
function fault(text) {
  const answer = cedar.validate({ schema, policies: { staticPolicies: text } });
  if (answer.type !== 'success') return 'parse: ' + said(answer.errors);
  return answer.validationErrors.length ? 'validate: ' + said(answer.validationErrors) : '';
}

const place = (id) => Number(id.replace('policy', ''));

function judged(text) {
  return given.requests.map((request) => {
    const answer = cedar.isAuthorized({ ...request, policies: { staticPolicies: text } });
    if (answer.type !== 'success') throw new Error(said(answer.errors));
    const { decision, diagnostics } = answer.response;
    const sorted = (ids) => ids.map(place).sort((a, b) => a - b);
    return { allow: decision === 'allow', reasons: sorted(diagnostics.reason), errors: sorted(diagnostics.errors.map((e) => e.policyId)) };
  });
}

process.stdout.write(JSON.stringify(given.policies.map(({ text, judge }) => {
  const error = fault(text);
  return { error, answers: judge && !error.startsWith('parse: ') ? judged(text) : [] };
})));
