package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/trail/cloudtrail/trailtest"
)

const aStore = "arn:aws:cloudtrail:us-east-1:444455556666:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"

const aTrail = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

func wantTrail(arn string, buckets ...string) properties {
	p := want("", buckets...)
	delete(p, "Id")
	p["Trail"] = arn
	return p
}

func stopped(t *trailtest.Trail) { t.Status["IsLogging"] = false }

// records has a trail record the reads of one bucket only.
func records(bucket string) func(*trailtest.Trail) {
	return func(t *trailtest.Trail) {
		t.Selectors = trailtest.Object{"AdvancedEventSelectors": []trailtest.Object{{"FieldSelectors": []trailtest.Object{
			{"Field": "eventCategory", "Equals": []string{"Data"}}, {"Field": "resources.type", "Equals": []string{"AWS::S3::Object"}},
			{"Field": "resources.ARN", "StartsWith": []string{"arn:aws:s3:::" + bucket + "/"}}}}}}
	}
}

func TestATrailIsLookedUp(t *testing.T) {
	w := newWorld(t)
	w.aws.Make(aTrail, "files")
	data := map[string]any{"Bucket": "files", "Folder": "AWSLogs/", "Key": "arn:aws:kms:eu-west-1:111122223333:key/none", "Records": "all", "Management": "all"}
	for _, request := range []cfn.RequestType{create, update} {
		got := w.request(t.Context(), request, wantTrail(aTrail, "logs"), wantTrail(aTrail, "*"))
		if got.Status != cfn.StatusSuccess || got.PhysicalResourceID != trailID || cmp.Diff(got.Data, data) != "" {
			t.Errorf("%s: got %+v", request, got)
		}
	}
	const key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	w.aws.Join("o-exampleorg")
	w.aws.Change(aTrail, func(t *trailtest.Trail) {
		t.Trail["IsOrganizationTrail"], t.Trail["S3KeyPrefix"], t.Trail["KmsKeyId"] = true, "a", key
	})
	data = map[string]any{"Bucket": "files", "Folder": "a/AWSLogs/o-exampleorg/", "Key": key, "Records": "all", "Management": "all"}
	if got := w.request(t.Context(), create, wantTrail(aTrail, "*"), nil); cmp.Diff(got.Data, data) != "" || len(w.team.sent) > 0 {
		t.Errorf("got %+v, and the team was notified of %q", got, w.team.sent)
	}
	w.aws.Calls()
	w.aws.Drop(aTrail)
	if got := w.request(t.Context(), remove, wantTrail(aTrail, "*"), nil); got.Status != cfn.StatusSuccess || got.PhysicalResourceID != trailID || len(w.aws.Calls()) > 0 {
		t.Errorf("deleted: got %+v, or calls", got)
	}
}

// A trail of the organization, of another account and region, of which the member is shown no selectors: the team is told what is taken on trust.
func TestATrailOfTheOrganizationIsLookedUp(t *testing.T) {
	w := newWorld(t)
	theirs := strings.NewReplacer(ours, "444455556666", region, "us-east-1").Replace(aTrail)
	w.aws.Make(theirs, "archive")
	w.aws.Join("o-exampleorg")
	w.aws.Change(theirs, func(t *trailtest.Trail) {
		t.Trail["IsOrganizationTrail"], t.Trail["S3KeyPrefix"] = true, "o-exampleorg"
	})
	w.aws.Fail(func(operation string) awstest.Fault {
		if operation == "GetEventSelectors" {
			return awstest.Fault{Code: "AccessDeniedException", Message: "no"}
		}
		return awstest.Fault{}
	})
	got := w.request(t.Context(), create, wantTrail(theirs, "logs"), nil)
	data := map[string]any{"Bucket": "archive", "Folder": "o-exampleorg/AWSLogs/o-exampleorg/", "Key": "arn:aws:kms:us-east-1:444455556666:key/none", "Records": "some", "Management": "all"}
	if got.Status != cfn.StatusSuccess || cmp.Diff(got.Data, data) != "" {
		t.Errorf("got %+v", got)
	}
	if len(w.team.sent) != 1 || !strings.Contains(w.team.sent[0].Body, "that it logs the reads of the watched buckets, copies and management events is taken on trust") {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
	w.aws.Change(theirs, func(t *trailtest.Trail) { t.Trail["IsMultiRegionTrail"] = false })
	if got := w.request(t.Context(), create, wantTrail(theirs, "logs"), nil); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, "records its own region alone, and the buckets are in eu-west-1") {
		t.Errorf("one region: got %+v", got)
	}
}

// A trail that has the management events is looked up for them alone, and stops the deployment where it has not all; and the one beside it is not warned
// of for them.
func TestAManagementTrailIsLookedUp(t *testing.T) {
	w := newWorld(t)
	w.aws.Make(aTrail, "files")
	w.aws.Change(aTrail, func(t *trailtest.Trail) {
		t.Selectors = trailtest.Object{"EventSelectors": []trailtest.Object{{"ReadWriteType": "All", "IncludeManagementEvents": true}}}
	})
	wanted := properties{"ServiceToken": "x", "Trail": aTrail, "Management": "all"}
	if got := w.request(t.Context(), create, wanted, nil); got.Status != cfn.StatusSuccess || got.PhysicalResourceID != managementID || got.Data["Folder"] != "AWSLogs/" || len(w.team.sent) > 0 {
		t.Errorf("got %+v, and the team was notified of %q", got, w.team.sent)
	}
	w.aws.Change(aTrail, records("logs"))
	if got := w.request(t.Context(), create, wanted, nil); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, "does not record every management event of iam.amazonaws.com") {
		t.Errorf("no management events: got %+v", got)
	}
	beside := wantTrail(aTrail, "logs")
	beside["Beside"], beside["Answers"] = "managementTrail", "Records and Management"
	got := w.request(t.Context(), create, beside, nil)
	if got.Status != cfn.StatusSuccess || got.PhysicalResourceID != trailID || got.Data["Management"] != "some" || len(w.team.sent) != 1 || strings.Contains(w.team.sent[0].Body, "management event") {
		t.Errorf("beside another: got %+v, and the team was notified of %q", got, w.team.sent)
	}
}

// Each stops the deployment with one sentence.
func TestATrailThatCannotBeAskedFailsTheDeployment(t *testing.T) {
	for _, c := range []struct {
		now    properties
		change func(*trailtest.Trail)
		says   string
	}{
		{wantTrail(strings.Replace(aTrail, ours, "444455556666", 1), "logs"), nil, "it is of account 444455556666, and the deployment is of 111122223333, which can look up a trail of its own or of its organization's: where it is neither, give -c trailLocation=s3://"},
		{wantTrail(strings.Replace(aTrail, region, "us-east-1", 1), "logs"), nil, "there is no such trail"},
		{wantTrail(aTrail+"-2", "logs"), nil, "there is no such trail"},
		{wantTrail(aTrail, "logs"), stopped, "is stopped, and records nothing"},
		{wantTrail(aTrail, "logs"), func(t *trailtest.Trail) { t.Status["LatestDeliveryError"] = "NoSuchBucket" }, `there is no such bucket as its "files"`},
		{wantTrail(aTrail, "logs"), func(t *trailtest.Trail) { t.Status["LatestDeliveryError"] = "AccessDenied" }, `cannot write to its bucket "files"`},
		{wantTrail(aTrail, "logs", "exports"), records("logs"), `does not record every read of bucket "exports"`},
		{wantTrail(aTrail, "*"), records("logs"), "does not record the reads of every bucket"},
		{wantTrail(aTrail), nil, "the property Buckets is missing"},
		{wantTrail("", "logs"), nil, "the property Trail is missing"},
		{wantTrail(aTrail, "../etc"), nil, "is not the name of a bucket"},
		{properties{"Trail": aTrail, "Buckets": []any{"logs"}, "Id": "x"}, nil, "the property Id is not one of Trail and Buckets"},
	} {
		w := newWorld(t)
		w.aws.Make(aTrail, "files")
		if c.change != nil {
			w.aws.Change(aTrail, c.change)
		}
		got := w.request(t.Context(), create, c.now, nil)
		if got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, c.says) || strings.Contains(got.Reason, "\n") {
			t.Errorf("got %+v, want a failure with %q", got, c.says)
		}
	}
	w := newWorld(t)
	if got := w.request(t.Context(), "Read", wantTrail(aTrail, "logs"), nil); got.Status != cfn.StatusFailed || len(w.aws.Calls()) > 0 {
		t.Errorf("an unknown request: got %+v", got)
	}
}

// An update fails where it makes things worse. What was wrong before does not keep a stack from going back to it; the team is notified.
func TestAnUpdateFailsWhereItMakesThingsWorse(t *testing.T) {
	w := newWorld(t)
	w.aws.Make(aTrail, "files")
	w.aws.Change(aTrail, records("logs"))
	good, more := wantTrail(aTrail, "logs"), wantTrail(aTrail, "logs", "exports")
	if got := w.request(t.Context(), update, more, good); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, `bucket "exports"`) {
		t.Errorf("a bucket more: got %+v", got)
	}
	if got := w.request(t.Context(), update, good, more); got.Status != cfn.StatusSuccess {
		t.Errorf("rolled back: got %+v", got)
	}
	w.team.sent = nil
	w.aws.Change(aTrail, stopped)
	for _, pair := range [][2]properties{{more, good}, {good, more}} {
		if got := w.request(t.Context(), update, pair[0], pair[1]); got.Status != cfn.StatusSuccess || got.Data["Bucket"] != "files" {
			t.Errorf("stopped since: got %+v", got)
		}
	}
	if len(w.team.sent) != 2 || w.team.sent[0].Subject != "[nightlatch] NO EVIDENCE: trail main (111122223333 eu-west-1)" || !strings.Contains(w.team.sent[0].Body, "is stopped") {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
	w.aws.Drop(aTrail)
	if got := w.request(t.Context(), update, good, more); got.Status != cfn.StatusFailed || !strings.Contains(got.Reason, "there is no such trail") {
		t.Errorf("gone: got %+v", got) // there is nothing that the table could point to
	}
}

func TestTheTeamIsNotifiedOfWhatATrailLeavesOutWhenItIsDeployed(t *testing.T) {
	w := newWorld(t)
	w.aws.Make(aTrail, "files")
	w.aws.Change(aTrail, func(t *trailtest.Trail) { t.Trail["IsMultiRegionTrail"] = false; records("logs")(t) })
	w.team.err = fmt.Errorf("no topic")
	if got := w.request(t.Context(), create, wantTrail(aTrail, "logs"), nil); got.Status != cfn.StatusSuccess {
		t.Errorf("got %+v", got)
	}
	if len(w.team.sent) != 1 || w.team.sent[0].Subject != "[nightlatch] THE EVIDENCE HAS GAPS: trail main (111122223333 eu-west-1)" || strings.Count(w.team.sent[0].Body, "\ntrail ") != 2 ||
		!strings.Contains(w.log.String(), "the team was not notified") {
		t.Errorf("the team was notified of %q", w.team.sent)
	}
}

// What a store records is answered; and that it is some of S3 where it cannot be read, which fails no deployment.
func TestAStoreIsLookedUp(t *testing.T) {
	w := newWorld(t)
	asks := func(arn string) properties { return properties{"ServiceToken": "x", "EventDataStore": arn} }
	all := trailtest.Object{"FieldSelectors": []trailtest.Object{{"Field": "eventCategory", "Equals": []string{"Data"}}, {"Field": "resources.type", "Equals": []string{"AWS::S3::Object"}}}}
	w.aws.MakeStore(aStore, all)
	w.aws.MakeStore(aStore + "-2")
	for arn, records := range map[string]string{aStore: "all", aStore + "-2": "some", aStore + "-3": "some", "": "some"} {
		for _, request := range []cfn.RequestType{create, update} {
			got := w.request(t.Context(), request, asks(arn), asks(aStore))
			if got.Status != cfn.StatusSuccess || got.PhysicalResourceID != storeID || cmp.Diff(got.Data, map[string]any{"Records": records}) != "" {
				t.Errorf("%s %s: got %+v", request, arn, got)
			}
		}
	}
	w.aws.Calls()
	if got := w.request(t.Context(), remove, asks(aStore), nil); got.Status != cfn.StatusSuccess || got.PhysicalResourceID != storeID || len(w.aws.Calls()) > 0 {
		t.Errorf("deleted: got %+v, or calls", got)
	}
}
