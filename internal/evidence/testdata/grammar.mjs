// Parses SQL statements with a Trino grammar: a JSON list of statements comes on standard input, a JSON list of the errors of
// each goes to standard output. Bundled by grammar_test.go, because dt-sql-parser's modules import folders.
import { TrinoSQL } from 'dt-sql-parser';
import { readFileSync } from 'node:fs';

const parser = new TrinoSQL();
const statements = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(statements.map((sql) => parser.validate(sql).map((e) => `${e.startLine}:${e.startColumn} ${e.message}`))));
