package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/settings"
)

const (
	// theirs is of an organization, as Control Tower lays its files.
	theirTrail    = "arn:aws:cloudtrail:us-east-1:" + stranger + ":trail/aws-controltower-BaselineCloudTrail"
	theirBucket   = "arn:aws:s3:::aws-controltower-logs-" + stranger + "-us-east-1"
	theirFolder   = "o-exampleorg/AWSLogs/o-exampleorg/"
	theirLocation = "s3://aws-controltower-logs-" + stranger + "-us-east-1/" + theirFolder
	theirKey      = "arn:aws:kms:us-east-1:" + stranger + ":key/0a1b2c3d-0000-4000-8000-0123456789ab"
	theirStore    = "arn:aws:cloudtrail:us-east-1:" + stranger + ":eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"
)

// abroad is a stack whose evidence is another account's, in another region.
func abroad(t *testing.T, changes ...string) template {
	t.Helper()
	s := read(t, append([]string{"eventDataStore", theirStore, "trail", theirTrail, "trailLocation", theirLocation, "trailKey", theirKey, "mode", "act"}, changes...)...)
	if err := s.deployTo(account, "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	tpl, _ := withSettings(t, s)
	return tpl
}

// printed is the policy that an output prints.
func printed(t *testing.T, tpl template, output string) any {
	t.Helper()
	var statements any
	if err := json.Unmarshal([]byte(tpl.output(t, output)), &statements); err != nil {
		t.Fatalf("%s: %v", output, err)
	}
	return policyOf(t, statements)
}

// What is given is what is asked: nothing of it is looked up.
func TestEvidenceOfAnotherAccount(t *testing.T) {
	tpl := abroad(t)
	got, err := settings.Parse(environOf(t, tpl, "Responder"))
	if err != nil || got.TrailLocation != theirLocation || got.EventDataStore != theirStore || !slices.Equal(got.Accounts, []string{account}) || got.Records != "" {
		t.Errorf("the responder reads %+v, %v", got, err)
	}
	if kinds := len(tpl.resources("Custom::Trail")) + len(tpl.resources("Custom::Store")); kinds > 0 {
		t.Errorf("there are %d looked up", kinds)
	}
	if where := at(t, tpl["Resources"], recordsTable, "Properties", "TableInput", "StorageDescriptor", "Location"); where != theirLocation {
		t.Errorf("the table lies at %v", where)
	}
	if seal := tpl.output(t, "TrailSeal"); !strings.Contains(seal, theirTrail) || !strings.Contains(seal, theirBucket+"/*") {
		t.Errorf("the seal is %s", seal)
	}
	for _, c := range []struct {
		changes []string
		has     []string
	}{
		{nil, nil},
		{onlyAthena(made), nil},
		{onlyAthena(aTrail), []string{"TrailAccess", "TrailKeyAccess"}},
	} {
		outputs := synth(t, c.changes...)["Outputs"].(map[string]any)
		for _, name := range []string{"TrailAccess", "TrailKeyAccess", "StoreAccess"} {
			if _, is := outputs[name]; is != slices.Contains(c.has, name) {
				t.Errorf("%q: the output %s is there: %t", c.changes, name, is)
			}
		}
	}
}

// What the owner adds admits the roles that ask, to their own account's folder, and nobody else; and these roles may do nothing else there. Both policies
// have to allow a call to another account: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
func TestReadingAnotherAccountsEvidenceIsJudged(t *testing.T) {
	tpl := abroad(t)
	ofBucket, ofKey, ofStore := printed(t, tpl, "TrailAccess"), printed(t, tpl, "TrailKeyAccess"), printed(t, tpl, "StoreAccess")
	file := func(account string) string {
		return theirBucket + "/" + theirFolder + account + "/CloudTrail/eu-west-1/2026/03/04/x.json.gz"
	}
	folder := func(account string) string { return theirFolder + account + "/CloudTrail/eu-west-1/2026/03/04/" }
	var calls []request
	add := func(who string, identity any, c request) {
		c.name, c.Principal, c.Identity = who, who, identity
		c.Context["aws:PrincipalArn"] = who
		if m := session.FindStringSubmatch(who); m != nil {
			c.Context["aws:PrincipalArn"] = "arn:aws:iam::" + m[1] + ":role/" + m[2]
		}
		c.Policy = ofBucket
		switch {
		case strings.HasPrefix(c.Action, "kms:"):
			c.Policy = ofKey
		case strings.HasPrefix(c.Action, "cloudtrail:"):
			c.Policy = ofStore
		}
		calls = append(calls, c)
	}
	via := func(want, action, resource string, context ...string) request {
		return does(want, action, resource, append(context, "aws:CalledVia", "athena.amazonaws.com")...)
	}
	decrypts := func(want, service string) request {
		return does(want, "kms:Decrypt", theirKey, "kms:ViaService", service)
	}
	for _, of := range []string{"Responder", "Approver", "Doctor", "Keeper"} {
		who := "arn:aws:sts::111122223333:assumed-role/Nightlatch-" + of + "Role-x1/Nightlatch-" + of + "-x1"
		identity := policyOf(t, at(t, tpl.named(t, "AWS::IAM::Role", of+"Role"), "Policies", 0, "PolicyDocument", "Statement"))
		reads, lists, byItself, listsItself := "ReadTheTrailsFiles", "ListTheTrailsFiles", denied, denied
		if of == "Doctor" {
			reads, lists = "TryToReadTheTrailsFiles", "TryToListTheTrailsFiles"
			byItself, listsItself = "Allowed NightlatchReads TryToReadTheTrailsFiles", "Allowed NightlatchLists TryToListTheTrailsFiles"
		}
		for _, c := range []request{
			via("Allowed NightlatchReads "+reads, "s3:GetObject", file(account)),
			via("Allowed "+strings.Join(sorted("NightlatchLists "+lists), " "), "s3:ListBucket", theirBucket, "s3:prefix", folder(account)),
			via("Allowed FindTheBuckets NightlatchFindsTheBucket", "s3:GetBucketLocation", theirBucket),
			does(byItself, "s3:GetObject", file(account)),
			does(listsItself, "s3:ListBucket", theirBucket, "s3:prefix", folder(account)),
			via(denied, "s3:GetObject", file("999988887777")),
			via(denied, "s3:GetObject", strings.Replace(file(account), "/CloudTrail/", "/CloudTrail-Digest/", 1)),
			via(denied, "s3:GetObject", strings.Replace(file(account), "AWSLogs/o-exampleorg/", "AWSLogs/", 1)),
			via(denied, "s3:GetObject", theirBucket+"/o-exampleorg/AWSLogs/o-exampleorg/111122223333/Config/x.json.gz"),
			via(denied, "s3:ListBucket", theirBucket, "s3:prefix", folder("999988887777")),
			via(denied, "s3:ListBucket", theirBucket, "s3:prefix", theirFolder),
			via(denied, "s3:ListBucket", theirBucket),
			via(denied, "s3:PutObject", file(account)),
			via(denied, "s3:DeleteObject", file(account)),
			decrypts("Allowed DecryptTheTrailsFiles NightlatchDecrypts", "s3.us-east-1.amazonaws.com"),
			decrypts(denied, "secretsmanager.us-east-1.amazonaws.com"),
			does(denied, "kms:Encrypt", theirKey, "kms:ViaService", "s3.us-east-1.amazonaws.com"),
			does("Allowed AskCloudTrailLake NightlatchAsks", "cloudtrail:StartQuery", theirStore),
			does("Allowed AskCloudTrailLake NightlatchAsks", "cloudtrail:GetQueryResults", theirStore),
			does(denied, "cloudtrail:DeleteEventDataStore", theirStore),
			does(denied, "cloudtrail:StartQuery", strings.Replace(theirStore, "0b8a2a3e", "11111111", 1)),
		} {
			add(who, identity, c)
		}
	}
	doctor := policyOf(t, at(t, tpl.named(t, "AWS::IAM::Role", "DoctorRole"), "Policies", 0, "PolicyDocument", "Statement"))
	add("arn:aws:sts::111122223333:assumed-role/Nightlatch-DoctorRole-x1/x", doctor, does("Allowed NightlatchLooks ReadTheStore", "cloudtrail:GetEventDataStore", theirStore))
	add("arn:aws:sts::111122223333:assumed-role/Nightlatch-DoctorRole-x1/x", doctor, does(denied, "cloudtrail:GetTrail", theirTrail))
	// Whoever else it is, whatever his own policy lets him do.
	for _, who := range []string{"arn:aws:iam::111122223333:user/admin", "arn:aws:iam::111122223333:root", "arn:aws:sts::111122223333:assumed-role/admin/eve",
		"arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x12/x", "arn:aws:sts::111122223333:assumed-role/Nightlatch-TellerRole-x1/x",
		"arn:aws:iam::999988887777:user/mallory", "arn:aws:sts::999988887777:assumed-role/Nightlatch-ResponderRole-x1/x"} {
		for _, c := range []request{via(denied, "s3:GetObject", file(account)), via(denied, "s3:ListBucket", theirBucket, "s3:prefix", folder(account)), via(denied, "s3:GetBucketLocation", theirBucket),
			decrypts(denied, "s3.us-east-1.amazonaws.com"), does(denied, "cloudtrail:StartQuery", theirStore), does(denied, "cloudtrail:GetEventDataStore", theirStore)} {
			add(who, everything, c)
		}
	}
	decided := judge(t, calls)
	for _, sid := range []string{"NightlatchReads", "NightlatchLists", "NightlatchFindsTheBucket", "NightlatchDecrypts", "NightlatchAsks", "NightlatchLooks"} {
		if !decided[sid] {
			t.Errorf("no call is decided by the statement %s", sid)
		}
	}
	everyConditionIsTried(t, calls, func(c request) any { return c.Policy })
}

// sorted are the words of a text in order.
func sorted(text string) []string {
	words := strings.Fields(text)
	slices.Sort(words)
	return words
}

// The statement of the page, with which an organization's owner lets every deployment of it in: each to its own account's folder.
func TestTheOrganizationsOneStatementIsJudged(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "```json\n{\"Sid\": \"NightlatchReads\"")
	text, _, _ := strings.Cut(after, "```")
	var st map[string]any
	text = strings.NewReplacer("BUCKET", strings.TrimPrefix(theirBucket, "arn:aws:s3:::"), "o-ID", "o-exampleorg").Replace(`{"Sid": "NightlatchReads"` + text)
	if err := json.Unmarshal([]byte(text), &st); err != nil || !found {
		t.Fatalf("%v: %s", err, text)
	}
	var calls []request
	for _, c := range []struct{ who, organization, folder, want string }{
		{"arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x1/x", "o-exampleorg", "111122223333", "Allowed Everything NightlatchReads"},
		{"arn:aws:sts::999988887777:assumed-role/Nightlatch-KeeperRole-y2/x", "o-exampleorg", "999988887777", "Allowed Everything NightlatchReads"},
		{"arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x1/x", "o-exampleorg", "999988887777", denied},
		{"arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x1/x", "o-otherorg99", "111122223333", denied},
		{"arn:aws:sts::111122223333:assumed-role/admin/x", "o-exampleorg", "111122223333", denied},
		{"arn:aws:iam::111122223333:user/Nightlatch-ResponderRole-x1", "o-exampleorg", "111122223333", denied},
	} {
		call := as(c.who, everything, "s3:GetObject", theirBucket+"/"+theirFolder+c.folder+"/CloudTrail/eu-west-1/2026/03/04/x.json.gz")
		call.want, call.Policy = c.want, document(st)
		call.Context["aws:PrincipalArn"], call.Context["aws:PrincipalOrgID"], call.Context["aws:PrincipalAccount"] = c.who, c.organization, strings.Split(c.who, ":")[4]
		if m := session.FindStringSubmatch(c.who); m != nil {
			call.Context["aws:PrincipalArn"] = "arn:aws:iam::" + m[1] + ":role/" + m[2]
		}
		calls = append(calls, call)
	}
	judge(t, calls)
}

// besideAnother is a stack with a trail of its own, which has no management events, beside another account's, which has them.
func besideAnother() []string {
	return onlyAthena(made, "managementTrail", theirLocation, "managementKey", theirKey, "mode", "act")
}

// The same of a second trail, which has the management events.
func TestReadingASecondTrailIsJudged(t *testing.T) {
	tpl := synth(t, besideAnother()...)
	ofBucket, ofKey := printed(t, tpl, "ManagementAccess"), printed(t, tpl, "ManagementKeyAccess")
	var calls []request
	for _, of := range []string{"Responder", "Approver", "Doctor", "Keeper", "Enroller"} {
		identity := policyOf(t, at(t, tpl.named(t, "AWS::IAM::Role", of+"Role"), "Policies", 0, "PolicyDocument", "Statement"))
		file := theirBucket + "/" + theirFolder + account + "/CloudTrail/us-east-1/2026/03/04/x.json.gz"
		prefix := theirFolder + account + "/CloudTrail/us-east-1/2026/03/04/"
		allowed := func(sids string) string {
			if of == "Enroller" {
				return denied
			}
			if of == "Doctor" {
				sids = strings.NewReplacer("ReadTheTrailsFiles", "ReadTheTrailsFiles TryToReadTheTrailsFiles", "ListTheManagementFiles", "TryToListTheManagementFiles").Replace(sids)
			}
			return "Allowed " + strings.Join(sorted(sids), " ")
		}
		for _, c := range []request{
			does(allowed("ReadTheTrailsTable"), "glue:GetTable", theCatalog+"table/nightlatch/management"),
			does(allowed("NightlatchReads ReadTheTrailsFiles"), "s3:GetObject", file, "aws:CalledVia", "athena.amazonaws.com"),
			does(allowed("ListTheManagementFiles NightlatchLists"), "s3:ListBucket", theirBucket, "aws:CalledVia", "athena.amazonaws.com", "s3:prefix", prefix),
			does(allowed("FindTheBuckets NightlatchFindsTheBucket"), "s3:GetBucketLocation", theirBucket, "aws:CalledVia", "athena.amazonaws.com"),
			does(allowed("DecryptTheTrailsFiles NightlatchDecrypts"), "kms:Decrypt", theirKey, "kms:ViaService", "s3.us-east-1.amazonaws.com"),
			does(denied, "s3:GetObject", strings.Replace(file, account, "999988887777", 1), "aws:CalledVia", "athena.amazonaws.com"),
			does(denied, "s3:ListBucket", theirBucket, "aws:CalledVia", "athena.amazonaws.com", "s3:prefix", theirFolder),
			does(denied, "s3:PutObject", file, "aws:CalledVia", "athena.amazonaws.com"),
		} {
			c.name, c.Principal, c.Identity, c.Policy = of, "arn:aws:sts::111122223333:assumed-role/Nightlatch-"+of+"Role-x1/x", identity, ofBucket
			c.Context["aws:PrincipalArn"] = "arn:aws:iam::111122223333:role/Nightlatch-" + of + "Role-x1"
			if strings.HasPrefix(c.Action, "kms:") {
				c.Policy = ofKey
			}
			if strings.HasPrefix(c.Action, "glue:") {
				c.Policy = nil
			}
			calls = append(calls, c)
		}
	}
	judge(t, calls)
}
