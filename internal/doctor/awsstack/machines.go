package awsstack

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

// MachineGrants are the permissions that Users and Tags need.
func MachineGrants() []grant.Grant {
	return []grant.Grant{
		{Sid: "ReadCredentialReport", Actions: []string{"iam:GenerateCredentialReport", "iam:GetCredentialReport"}, On: []string{"*"}, Why: "The report is the account's, and these calls name no resource."},
		{Sid: "ReadUsersTags", Actions: []string{"iam:ListUserTags"}, On: []string{"arn:${Partition}:iam::${Account}:user/*"}, Why: "Any user may work as a machine."},
	}
}

// reportEvery is how often it is asked whether the report is there. AWS makes one in seconds, and none for four hours after the last.
const reportEvery = 2 * time.Second

// Users are the account's IAM users with their keys, as its credential report of the last four hours has them: two calls, whatever their number.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
func (r *Reader) Users(ctx context.Context) ([]doctor.UserKeys, error) {
	const on = "the account"
	for {
		made, err := r.iam.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
		if err != nil {
			return nil, failed("iam:GenerateCredentialReport", on, err)
		}
		if made.State == types.ReportStateTypeComplete {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the account's credential report was not made in time; look again")
		case <-time.After(reportEvery):
		}
	}
	got, err := r.iam.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
	if err != nil {
		return nil, failed("iam:GetCredentialReport", on, err)
	}
	lines, err := csv.NewReader(bytes.NewReader(got.Content)).ReadAll()
	for _, column := range []string{"user", "arn", "password_enabled", "access_key_1_active"} {
		if err != nil || len(lines) == 0 || !slices.Contains(lines[0], column) {
			return nil, failed("iam:GetCredentialReport", on, errStrange)
		}
	}
	var all []doctor.UserKeys
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		if row["user"] == "<root_account>" {
			continue
		}
		u := doctor.UserKeys{Name: row["user"], ARN: row["arn"], Password: row["password_enabled"] != "false"}
		for n := 1; row[fmt.Sprintf("access_key_%d_active", n)] != ""; n++ {
			of := func(column string) string { return row[fmt.Sprintf("access_key_%d_%s", n, column)] }
			used, _ := time.Parse(time.RFC3339, of("last_used_date")) // N/A where it never was
			u.Keys = append(u.Keys, doctor.KeyUse{Active: of("active") == "true", Used: used, Service: of("last_used_service")})
		}
		all = append(all, u)
	}
	return all, nil
}

// Tags are the names of a user's tags.
func (r *Reader) Tags(ctx context.Context, user string) (names []string, err error) {
	pages := iam.NewListUserTagsPaginator(r.iam, &iam.ListUserTagsInput{UserName: &user})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed("iam:ListUserTags", fmt.Sprintf("user %q", user), err)
		}
		for _, t := range page.Tags {
			names = append(names, aws.ToString(t.Key))
		}
	}
	return names, nil
}
