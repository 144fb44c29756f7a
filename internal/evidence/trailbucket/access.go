package trailbucket

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// AccessGrants are the permissions for the calls of Access. ${TrailBucket} is the bucket's ARN, and ${TrailPrefix} what the files' keys begin with; of
// another trail, ${ManagementBucket} and ${ManagementPrefix}.
func AccessGrants(trail, management bool) (all []grant.Grant) {
	read := grant.Grant{Sid: "TryToReadTheTrailsFiles", Actions: []string{fileRead}, Why: "A trail's files are below one folder, under names that are known only when they are written."}
	for _, of := range []struct {
		is                    bool
		whose, bucket, prefix string
	}{{trail, "Trails", "${TrailBucket}", "${TrailPrefix}"}, {management, "Management", "${ManagementBucket}", "${ManagementPrefix}"}} {
		if folder := of.prefix + "${Account}/CloudTrail/*"; of.is {
			read.On = append(read.On, of.bucket+"/"+folder)
			all = append(all, grant.Grant{Sid: "TryToListThe" + of.whose + "Files", Actions: []string{filesList}, On: []string{of.bucket}, When: map[string]map[string]string{"StringLike": {"s3:prefix": folder}}})
		}
	}
	if read.On != nil {
		all = append(all, read)
	}
	return all
}

const fileRead, filesList, keyUse = "s3:GetObject", "s3:ListBucket", "kms:Decrypt"

// Access reads what a question reads, in the caller's own name: it lists the files that a region's folder has of today and of yesterday, and gets the
// first byte of one. It reports whether there was one. What AWS refuses is a grant.Denial: in another account's bucket the owner's policies decide.
func (b *Bucket) Access(ctx context.Context, region string, now time.Time) (files bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, day := range []time.Time{now, now.AddDate(0, 0, -1)} {
		key, err := b.first(ctx, b.folders[0]+"CloudTrail/"+region+"/"+day.UTC().Format("2006/01/02")+"/")
		if err != nil {
			return false, b.refused(filesList, err)
		}
		if key == "" {
			continue
		}
		if err := b.get(ctx, key); err != nil {
			return false, b.refused(fileRead, err)
		}
		return true, nil
	}
	return false, nil
}

// first is the first key of a folder; "" where it has none.
func (b *Bucket) first(ctx context.Context, folder string) (key string, err error) {
	err = b.call(func(region func(*s3.Options)) error {
		out, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &folder, MaxKeys: aws.Int32(1)}, region)
		if err == nil && len(out.Contents) > 0 {
			key = aws.ToString(out.Contents[0].Key)
		}
		return err
	})
	return key, err
}

func (b *Bucket) get(ctx context.Context, key string) error {
	return b.call(func(region func(*s3.Options)) error {
		out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, Range: aws.String("bytes=0-0")}, region, func(o *s3.Options) {
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // a checksum is the whole file's
		})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(out.Body, 1))
		return err
	})
}

// refused is the sentence about a read that failed. S3 says of a key that its caller may not use that he may not, with the key's action in the text.
func (b *Bucket) refused(action string, err error) error {
	refused, status := awserr.Refusal(err)
	on := fmt.Sprintf("bucket %+q", b.name)
	switch {
	case refused == nil:
		return awserr.Silence{Doing: "calling " + action + " on " + on, Service: "S3", Ended: "; ask again", Late: "; ask again", Reach: "the function reaches S3"}.Sentence(status, err)
	case refused.ErrorCode() == "AccessDenied" && strings.Contains(refused.ErrorMessage(), keyUse):
		return grant.Denied(keyUse, "the key of "+on, refused.ErrorMessage())
	case refused.ErrorCode() == "AccessDenied":
		return grant.Denied(action, on, refused.ErrorMessage())
	case refused.ErrorCode() == "NoSuchBucket":
		return fmt.Errorf("there is no %s; correct where the trail's files lie", on)
	}
	return fmt.Errorf("calling %s on %s: S3 refused with %+q (%s); ask again, and see the error in S3's reference", action, on, refused.ErrorMessage(), refused.ErrorCode())
}

// Reader is who reads a trail's files in a bucket: these roles, by their ARNs, of one account and partition.
type Reader struct {
	Partition, Account string
	Roles              []string
	// Bucket is the bucket's ARN, and Folder what the keys of all files begin with, [PREFIX/]AWSLogs/[ORGANIZATION/].
	Bucket, Folder string
	// Accounts are those whose folders are read.
	Accounts []string
}

// Statement is one statement of a policy, in IAM's own words: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type Statement = map[string]any

// by are the principals: the account, and of it no other role. A role's own ARN as principal would be its id once it is gone, and S3 takes no policy
// with such a one. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (r Reader) by(sid, action string, on any, also map[string]any) Statement {
	when := map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": r.Roles}}
	for operator, keys := range also {
		when[operator] = keys
	}
	return Statement{"Sid": sid, "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:" + r.Partition + ":iam::" + r.Account + ":root"},
		"Action": action, "Resource": on, "Condition": when}
}

// OfBucket are the statements that the bucket's owner adds to its policy, so that these roles may read there.
// https://docs.aws.amazon.com/athena/latest/ug/cross-account-permissions.html
func (r Reader) OfBucket() []Statement {
	var files, folders []string
	for _, account := range r.Accounts {
		folder := r.Folder + account + "/CloudTrail/*"
		files, folders = append(files, r.Bucket+"/"+folder), append(folders, folder)
	}
	return []Statement{
		r.by("NightlatchReads", fileRead, files, nil),
		r.by("NightlatchLists", filesList, r.Bucket, map[string]any{"StringLike": map[string]any{"s3:prefix": folders}}),
		r.by("NightlatchFindsTheBucket", "s3:GetBucketLocation", r.Bucket, nil),
	}
}

// OfKey are the statements that the key's owner adds to its policy. A key's policy is about itself alone, and the key works for S3 alone.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail-decrypt.html
func (r Reader) OfKey() []Statement {
	return []Statement{r.by("NightlatchDecrypts", keyUse, "*", map[string]any{"StringLike": map[string]any{"kms:ViaService": "s3.*"}})}
}
