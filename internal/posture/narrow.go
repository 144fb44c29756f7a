package posture

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"nightlatch/internal/prose"
)

const (
	// manyFolders is from how many folders of a bucket on all of it is allowed: folders that are many have dates or ids as names, and there will be others.
	manyFolders = 10
	// maxPolicy is how many characters a managed policy may have, without blanks: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	maxPolicy = 6144
)

// S3Use is one call of a user's on S3. Folder is the first folder of the object's key, with its slash; Source is what a copy names as its source.
type S3Use struct {
	Call, Bucket, Folder, Source string
	// Version says that the call named a version.
	Version bool
}

// onObjects and onBuckets are the actions that a call needs, by its name in CloudTrail: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var (
	onObjects = map[string]string{"HeadObject": "s3:GetObject", "SelectObjectContent": "s3:GetObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject",
		"CopyObject": "s3:PutObject", "UploadPartCopy": "s3:PutObject", "ListParts": "s3:ListMultipartUploadParts", "DeleteObjects": "s3:DeleteObject"}
	onBuckets = map[string]string{"ListObjects": "s3:ListBucket", "HeadBucket": "s3:ListBucket", "ListObjectVersions": "s3:ListBucketVersions", "ListMultipartUploads": "s3:ListBucketMultipartUploads"}
	// sameName are called as their actions.
	sameObjects = []string{"GetObject", "PutObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging", "AbortMultipartUpload", "RestoreObject", "GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold"}
	sameBuckets = []string{"GetBucketLocation", "GetBucketVersioning"}
	// ofVersions are the actions that a call on a named version needs instead.
	ofVersions = map[string]string{"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion", "s3:GetObjectAcl": "s3:GetObjectVersionAcl", "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
		"s3:GetObjectTagging": "s3:GetObjectVersionTagging", "s3:PutObjectTagging": "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging"}

	// bucketName is a bucket's, and no access point's and no pattern of IAM's.
	bucketName = regexp.MustCompile(`^[A-Za-z0-9._-]{3,255}$`)
	plain      = regexp.MustCompile(`^[ -~]*$`)
	// literal writes the characters that IAM reads as its own: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
	literal = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}")
)

// allowed is a statement.
type allowed struct {
	Effect   string
	Action   []string
	Resource []string
}

// Narrow makes a policy that allows what was used of S3, and nothing else: in a partition, as aws. left is what was used and is not in it, a line each. Without
// anything that can be allowed there is no policy.
func Narrow(partition string, uses []S3Use) (policy string, left []string, err error) {
	objects, buckets := map[string]map[string][]string{}, map[string][]string{} // by bucket: the folders of each action, and the actions on itself
	leave := func(u S3Use) {
		if line := prose.Safe(u.Call) + " on " + prose.Safe(cmp.Or(u.Bucket, "no bucket")); !slices.Contains(left, line) {
			left = append(left, line)
		}
	}
	allow := func(bucket, action, folder string) {
		if objects[bucket] == nil {
			objects[bucket] = map[string][]string{}
		}
		objects[bucket][action] = append(objects[bucket][action], folder)
	}
	for _, u := range uses {
		object, bucket := onObjects[u.Call], onBuckets[u.Call]
		if slices.Contains(sameObjects, u.Call) {
			object = "s3:" + u.Call
		}
		if slices.Contains(sameBuckets, u.Call) {
			bucket = "s3:" + u.Call
		}
		if !bucketName.MatchString(u.Bucket) || object+bucket == "" {
			leave(u)
			continue
		}
		if bucket != "" {
			buckets[u.Bucket] = append(buckets[u.Bucket], bucket)
			continue
		}
		copied := u.Call == "CopyObject" || u.Call == "UploadPartCopy"
		if u.Version && !copied {
			object = cmp.Or(ofVersions[object], object)
		}
		allow(u.Bucket, object, u.Folder)
		if copied {
			from, folder, version, ok := sourceOf(u.Source)
			if !ok {
				leave(S3Use{Call: "the source of " + u.Call, Bucket: cmp.Or(u.Source, "no name")})
				continue
			}
			allow(from, map[bool]string{true: "s3:GetObjectVersion", false: "s3:GetObject"}[version], folder)
		}
	}
	arn := func(name string) string { return "arn:" + partition + ":s3:::" + name }
	var all []allowed
	for _, bucket := range slices.Sorted(maps.Keys(buckets)) {
		all = append(all, allowed{"Allow", sorted(buckets[bucket]), []string{arn(bucket)}})
	}
	for _, bucket := range slices.Sorted(maps.Keys(objects)) {
		for _, action := range slices.Sorted(maps.Keys(objects[bucket])) {
			on := resources(arn(bucket), objects[bucket][action])
			if i := slices.IndexFunc(all, func(a allowed) bool { return slices.Equal(a.Resource, on) }); i >= 0 {
				all[i].Action = append(all[i].Action, action)
				continue
			}
			all = append(all, allowed{"Allow", []string{action}, on})
		}
	}
	if len(all) == 0 {
		return "", left, nil
	}
	document := struct {
		Version   string
		Statement []allowed
	}{"2012-10-17", all}
	short, err := json.Marshal(document)
	if err != nil {
		return "", nil, fmt.Errorf("the narrowed policy: %v", err)
	}
	if len(short) > maxPolicy {
		left = append(left, fmt.Sprintf("it has %d characters, and a managed policy at most %d: make one of each bucket's statements", len(short), maxPolicy))
	}
	long, err := json.MarshalIndent(document, "", "  ")
	return string(long), left, err
}

// resources are the ARNs of some folders of a bucket. Where an object lay in none, or in one whose name is not plain text, and where they are many, they are all of it.
func resources(bucket string, folders []string) []string {
	folders = sorted(folders)
	if len(folders) > manyFolders || slices.ContainsFunc(folders, func(f string) bool { return f == "" || !strings.HasSuffix(f, "/") || !plain.MatchString(f) }) {
		return []string{bucket + "/*"}
	}
	for i, f := range folders {
		folders[i] = bucket + "/" + literal.Replace(f) + "*"
	}
	return folders
}

// sourceOf is what a copy names as its source, which is written as in a URL. An access point is none that is known here.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func sourceOf(header string) (bucket, folder string, version, ok bool) {
	path, query, _ := strings.Cut(header, "?")
	path, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	bucket, key, _ := strings.Cut(path, "/")
	if i := strings.Index(key, "/"); i >= 0 {
		folder = key[:i+1]
	}
	return bucket, folder, strings.HasPrefix(query, "versionId="), err == nil && key != "" && bucketName.MatchString(bucket)
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
