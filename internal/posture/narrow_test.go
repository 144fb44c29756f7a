package posture

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// allows are what a policy allows, each as "action resource".
func allows(t *testing.T, text string) (all []string) {
	t.Helper()
	var p struct {
		Version   string
		Statement []struct {
			Effect           string
			Action, Resource []string
		}
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.Version != "2012-10-17" {
		t.Fatalf("%v: %s", err, text)
	}
	for _, s := range p.Statement {
		for _, a := range s.Action {
			for _, r := range s.Resource {
				all = append(all, strings.TrimPrefix(a, "s3:")+" "+strings.TrimPrefix(r, "arn:aws-us-gov:s3:::"))
			}
		}
		if s.Effect != "Allow" || !slices.IsSorted(s.Resource) {
			t.Errorf("got %+v", s)
		}
	}
	return slices.Sorted(slices.Values(all))
}

func TestAPolicyIsNarrowedToWhatWasUsed(t *testing.T) {
	for name, c := range map[string]struct {
		uses []S3Use
		want []string
		left []string
	}{
		"reads of two folders": {[]S3Use{{Call: "GetObject", Bucket: "exports", Folder: "a/"}, {Call: "HeadObject", Bucket: "exports", Folder: "b/"}, {Call: "GetObject", Bucket: "exports", Folder: "b/"}}, []string{"GetObject exports/a/*", "GetObject exports/b/*"}, nil},
		"an object in no folder opens the bucket, for that action alone": {[]S3Use{{Call: "GetObject", Bucket: "exports"}, {Call: "GetObject", Bucket: "exports", Folder: "a/"}, {Call: "PutObject", Bucket: "exports", Folder: "a/"}},
			[]string{"GetObject exports/*", "PutObject exports/a/*"}, nil},
		"a version is another action":        {[]S3Use{{Call: "GetObject", Bucket: "exports", Folder: "a/", Version: true}}, []string{"GetObjectVersion exports/a/*"}, nil},
		"a list is of the bucket":            {[]S3Use{{Call: "ListObjects", Bucket: "exports", Folder: "a/"}, {Call: "GetBucketLocation", Bucket: "exports"}}, []string{"GetBucketLocation exports", "ListBucket exports"}, nil},
		"an upload in parts":                 {[]S3Use{{Call: "CreateMultipartUpload", Bucket: "inbox", Folder: "a/"}, {Call: "UploadPart", Bucket: "inbox", Folder: "a/"}, {Call: "AbortMultipartUpload", Bucket: "inbox", Folder: "a/"}}, []string{"AbortMultipartUpload inbox/a/*", "PutObject inbox/a/*"}, nil},
		"a copy reads its source":            {[]S3Use{{Call: "CopyObject", Bucket: "loot", Folder: "x/", Source: "/exports/a%20b/k?versionId=3"}}, []string{"GetObjectVersion exports/a b/*", "PutObject loot/x/*"}, nil},
		"a copy from an access point":        {[]S3Use{{Call: "CopyObject", Bucket: "loot", Source: "arn:aws:s3:eu-west-1:111122223333:accesspoint/p/object/k"}}, []string{"PutObject loot/*"}, []string{"the source of CopyObject on arn:aws:s3:eu-west-1:111122223333:accesspoint/p/object/k"}},
		"what is no action of S3's is named": {[]S3Use{{Call: "GetObjectTorrent2", Bucket: "exports"}, {Call: "GetObject", Bucket: "arn:aws:s3:x:accesspoint/p"}, {Call: "ListBuckets"}}, nil, []string{"GetObjectTorrent2 on exports", "GetObject on arn:aws:s3:x:accesspoint/p", "ListBuckets on no bucket"}},
		"nothing":                            {nil, nil, nil},
		// What others call their folders widens nothing.
		"IAM's own characters":  {[]S3Use{{Call: "GetObject", Bucket: "exports", Folder: "*?${aws:username}/"}}, []string{"GetObject exports/${*}${?}${$}{aws:username}/*"}, nil},
		"a folder cut off":      {[]S3Use{{Call: "GetObject", Bucket: "exports", Folder: strings.Repeat("x", 512)}}, []string{"GetObject exports/*"}, nil},
		"a folder in no letter": {[]S3Use{{Call: "GetObject", Bucket: "exports", Folder: "\x1b[2J/"}}, []string{"GetObject exports/*"}, nil},
		"a star as a bucket":    {[]S3Use{{Call: "GetObject", Bucket: "***"}, {Call: "\x1b[2J", Bucket: "exports"}}, nil, []string{"GetObject on ***", `\x1b[2J on exports`}},
	} {
		text, left, err := Narrow("aws-us-gov", c.uses)
		if err != nil || !slices.Equal(left, c.left) || (text == "") != (c.want == nil) {
			t.Errorf("%s: left is %q, want %q; %v", name, left, c.left, err)
		}
		if text != "" {
			if got := allows(t, text); !slices.Equal(got, c.want) {
				t.Errorf("%s: got %q, want %q", name, got, c.want)
			}
		}
	}
}

func TestManyFoldersAreTheBucketAndManyBucketsAreSaid(t *testing.T) {
	var many, buckets []S3Use
	for i := range 100 {
		many = append(many, S3Use{Call: "GetObject", Bucket: "logs", Folder: fmt.Sprintf("2026-03-%02d/", i)})
		buckets = append(buckets, S3Use{Call: "GetObject", Bucket: fmt.Sprintf("a-bucket-of-a-usual-name-%d", i), Folder: "a/"})
	}
	if text, _, _ := Narrow("aws-us-gov", many); !slices.Equal(allows(t, text), []string{"GetObject logs/*"}) {
		t.Errorf("got %s", text)
	}
	if text, left, _ := Narrow("aws-us-gov", buckets); len(allows(t, text)) != 100 || len(left) != 1 || !strings.Contains(left[0], "a managed policy at most 6144") {
		t.Errorf("got %q", left)
	}
}
