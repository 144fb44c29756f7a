// Parses SQL statements with a Trino grammar: a JSON list of statements comes on standard input. Of each, its errors and the
// constructs that it is made of go to standard output. Bundled by grammar_test.go, because dt-sql-parser's modules import folders.
import { TrinoSQL } from 'dt-sql-parser';
import { readFileSync } from 'node:fs';

// What every SELECT is made of, and what only holds other parts.
const plain = new Set(`Program Statements SingleStatement StatementDefault RootQuery Query QueryStatement QueryNoWith QueryTermDefault QueryPrimaryDefault
  QuerySpecification SelectList SelectItem SelectAll SelectExpressionColumnName SelectLiteralColumnName RelationDefault RelationPrimary SampledRelation
  PatternRecognition AliasedRelation TableName RelationSourceTable TableRef TableOrViewName QualifiedName Identifier UnquotedIdentifier QuotedIdentifier
  NonReserved ColumnRef ColumnReference ColumnName ColumnNameCreate ColumnAliases ColumnListCreate ColumnList Expression BooleanExpression Predicated
  ValueExpression ValueExpressionDefault PrimaryExpression FunctionName ParenthesizedExpression StringLiteral String BasicStringLiteral NumericLiteral
  IntegerLiteral DoubleLiteral DecimalLiteral Number NullLiteral BooleanLiteral BooleanValue WhenClause WhereClause GroupBy SingleGroupingSet GroupingSet
  GroupingTerm PartitionBy Over SortItem RowCount LimitRowCount JoinCriteria JoinType Comparison GenericType DateTimeType DoublePrecisionType Type
  TimeZoneString NamedQuery SetQuantifier Alias TableAllColumns SelectAllWithoutTable ExpressionSourceTable EmptyColumn`.split(/\s+/));

const text = (node) => node.getText().toLowerCase();

// constructs are the names of the parts of a tree: "inner join", "max()", "cast as double", "=".
function constructs(node, found = new Set()) {
  const kind = (node.constructor.originalName ?? node.constructor.name).replace(/Context$/, '');
  const tokens = (node.children ?? []).filter((c) => c.symbol).map(text);
  switch (kind) {
    case 'FunctionCall':
      found.add(`${text(node.functionName())}()`);
      if (node.setQuantifier()) found.add(`aggregate of ${text(node.setQuantifier())}`);
      if (node.filter()) found.add('filter (where)');
      break;
    case 'Coalesce': found.add('coalesce()'); break;
    case 'GroupingOperation': found.add('grouping()'); break;
    case 'JoinRelation': found.add(`${[node.joinType() ? text(node.joinType()) : '', ...tokens].filter(Boolean).join(' ')}`); break;
    case 'Unnest': found.add(tokens.includes('with') ? 'unnest with ordinality' : 'unnest'); break;
    case 'Cast': found.add(`${tokens[0]} as ${text(node.type())}`); break;
    case 'TypeConstructor': found.add(`${text(node.identifier())} literal`); break;
    case 'ComparisonOperator': case 'ArithmeticBinary': case 'ArithmeticUnary': found.add(kind === 'ComparisonOperator' ? text(node) : tokens[0]); break;
    case 'NullPredicate': case 'InList': case 'InSubquery': case 'Between': case 'Like': found.add(tokens.filter((t) => /^[a-z]+$/.test(t) && t !== 'and').join(' ')); break;
    case 'And': case 'Or': found.add(kind.toLowerCase()); break;
    case 'LogicalNot': found.add('not'); break;
    case 'SearchedCase': case 'SimpleCase': found.add('case'); break;
    case 'MultipleGroupingSets': found.add('grouping sets'); break;
    case 'With': case 'AtTimeZone': found.add(tokens.join(' ').replace(/ ?[^a-z ] ?/g, '')); break;
    case 'InlineTable': found.add('values'); break;
    case 'Subquery': case 'SubqueryRelation': case 'SubqueryExpression': found.add('select in a select'); break;
    case 'ArrayConstructor': case 'RowConstructor': found.add(tokens[0] === 'array' ? 'array[…]' : 'row(…)'); break;
    case 'QueryNoWith': for (const t of tokens) if (t === 'order' || t === 'limit') found.add({ order: 'order by', limit: 'limit' }[t]); break;
    case 'QuerySpecification': for (const t of tokens) if (t === 'group') found.add('group by'); break;
    case 'WindowSpecification': found.add(`over (${tokens.filter((t) => t === 'partition' || t === 'order').join(', ')})`); break;
    case 'Dereference': found.add('field of a struct'); break;
    default: if (!plain.has(kind)) found.add(kind);
  }
  if (kind === 'Predicated' && text(node).match(/^eventtime[<>=]+'/)) found.add('eventtime against a string');
  for (const child of node.children ?? []) if (!child.symbol) constructs(child, found);
  return found;
}

const parser = new TrinoSQL();
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map((sql) => ({
  errors: parser.validate(sql).map((e) => `${e.startLine}:${e.startColumn} ${e.message}`),
  constructs: [...constructs(parser.parse(sql, () => {}))].sort(),
}))));
