// Package dynamotest makes the table of incidents, for tests of what reads or writes it, in an AWS that is played.
package dynamotest

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"nightlatch/internal/incident/dynamo"
)

// Table makes an empty table of a name, with its index, as a deployment has it.
func Table(ctx context.Context, cfg aws.Config, name string) error {
	var attributes []types.AttributeDefinition
	for _, name := range []string{dynamo.PartitionKey, dynamo.SortKey, dynamo.IndexPartitionKey, dynamo.IndexSortKey} {
		attributes = append(attributes, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	keys := func(partition, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &partition, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange}}
	}
	_, err := dynamodb.NewFromConfig(cfg).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest, AttributeDefinitions: attributes, KeySchema: keys(dynamo.PartitionKey, dynamo.SortKey),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String(dynamo.Index), KeySchema: keys(dynamo.IndexPartitionKey, dynamo.IndexSortKey),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: dynamo.Projected()}}},
	})
	return err
}
