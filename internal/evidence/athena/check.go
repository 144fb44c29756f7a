package athena

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// tableType is what the Glue Data Catalog calls a table over files: not a view, which could show anything.
const tableType = "EXTERNAL_TABLE"

// reported are the parameters that GetTableMetadata makes of the rest of a table's definition, beside the table's own:
// https://docs.aws.amazon.com/cli/latest/reference/athena/get-table-metadata.html
func (t Table) reported() map[string]string {
	all := t.Parameters()
	all["location"], all["inputformat"], all["outputformat"], all["serde.serialization.lib"] = t.Location, InputFormat, OutputFormat, SerDe
	return all
}

// harmless are the parameters that may stand there too: Hive, Glue and Trino write them by themselves, statistics among them, or a table is
// described. Any other could change how the files are read: skip.header.line.count, serde.param.ignore.malformed.json, …
var harmless = []string{"transient_lastDdlTime", "comment", "classification", "serde.param.serialization.format", "last_modified_by", "last_modified_time",
	"numFiles", "numRows", "numPartitions", "rawDataSize", "totalSize", "COLUMN_STATS_ACCURATE", "bucketing_version", "presto_query_id", "presto_version",
	"trino_query_id", "trino_version"}

// check demands that the tables are as deployed. Nothing of it is kept for the next query: between two somebody may change them.
func (t *Trail) check(ctx context.Context, q *query) error {
	for _, name := range slices.Sorted(maps.Keys(q.tables)) {
		if err := t.checkOne(ctx, q, name); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trail) checkOne(ctx context.Context, q *query, name string) error {
	table := "the table " + Database + "." + name
	doing := fmt.Sprintf("checking %s for the %s query", table, q.name)
	out, err := patiently(ctx, t, func() (*athena.GetTableMetadataOutput, error) {
		return t.client.GetTableMetadata(ctx, &athena.GetTableMetadataInput{
			CatalogName:  aws.String(Catalog),
			DatabaseName: aws.String(Database),
			TableName:    aws.String(name),
		})
	})
	if err != nil {
		return explain(ctx, err, "GetTableMetadata", table, doing)
	}
	if out.TableMetadata == nil {
		return fmt.Errorf("%s: athena answered without the table, so that nothing was asked: ask again", doing)
	}
	differences := q.tables[name].differences(*out.TableMetadata)
	if len(differences) == 0 {
		return nil
	}
	more := ""
	if n := len(differences) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Errorf("%s is not what nightlatch deployed, so that nothing was asked: %s%s; deploy again, and look in cloudtrail for glue's UpdateTable "+
		"and DeleteTable to see who changed it", table, differences[0], more)
}

// differences are the ways in which the table that is there is not this one, a clause for each. What is there, somebody may have chosen: it
// is quoted and escaped.
func (t Table) differences(found types.TableMetadata) []string {
	var all []string
	differ := func(what, got, want string) {
		if got != want {
			got, want = apart(got, want)
			all = append(all, fmt.Sprintf("%s is %s where %s was deployed", what, quoted(got), quoted(want)))
		}
	}
	columns := func(what string, found []types.Column, want []Column) {
		for i := range max(len(found), len(want)) {
			var is, was string
			if i < len(found) {
				is = aws.ToString(found[i].Name) + " " + aws.ToString(found[i].Type)
			}
			if i < len(want) {
				was = want[i].Name + " " + want[i].Type
			}
			differ(fmt.Sprintf("%s %d", what, i+1), is, was)
		}
	}
	differ("its type", aws.ToString(found.TableType), tableType)
	columns("its column", found.Columns, t.Columns())
	columns("its partition key", found.PartitionKeys, t.Partitions())
	want := t.reported()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got := found.Parameters[name]
		if name == "location" { // with or without the slash at its end, it is the same folder
			got = strings.TrimSuffix(got, "/") + "/"
		}
		differ("its "+name, got, want[name])
	}
	for _, name := range slices.Sorted(maps.Keys(found.Parameters)) {
		if _, known := want[name]; !known && !slices.Contains(harmless, name) {
			all = append(all, fmt.Sprintf("it has the parameter %s, which was not deployed", quoted(name)))
		}
	}
	return all
}

// apart leaves out most of what two long texts begin with alike, so that what is quoted of them shows where they differ.
func apart(x, y string) (string, string) {
	const context = 20
	same := 0
	for same < min(len(x), len(y)) && x[same] == y[same] {
		same++
	}
	if same > 2*context {
		return "..." + x[same-context:], "..." + y[same-context:]
	}
	return x, y
}
