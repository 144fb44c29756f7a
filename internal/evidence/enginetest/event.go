package enginetest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"time"
)

// keys is how many keys there are.
const keys = 300

// WriteEvent writes the record of one S3 data event, as large as real ones: of several callers, names, buckets and agents, some of them errors. Each
// key has its program, and mostly its bucket; an instance's role gets another key every six hours.
func WriteEvent(w *bufio.Writer, at time.Time, random *rand.Rand) {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	key := random.IntN(keys)
	bucket := [...]string{"customer-exports", "customer-exports", "customer-exports", "customer-archive", "build-cache"}[key%5]
	if random.IntN(20) == 0 {
		bucket = pick("customer-exports", "customer-archive", "build-cache")
	}
	agent := [...]string{"[aws-sdk-go-v2/1.30.1 os/linux lang/go#1.22 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.0]",
		"[aws-cli/2.15.30 Python/3.11.8 Linux/6.1.79 exe/x86_64.amzn.2023 prompt/off command/s3.cp]", "[Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.1.79 lang/python#3.12.2]"}[key/3%3]
	signed := [...]string{"AuthHeader", "AuthHeader", "QueryString"}[key/9%3]
	object := fmt.Sprintf("exports/2026/%d/part-%d.parquet", key, random.IntN(100000))
	identity := fmt.Sprintf(`{"type":"IAMUser","principalId":"AIDA%016d","arn":"arn:aws:iam::111122223333:user/user-%d","accountId":"111122223333","accessKeyId":"AKIA%016d","userName":"user-%d"}`, key, key, key, key)
	if key%3 == 0 {
		born := at.Truncate(6 * time.Hour)
		identity = fmt.Sprintf(`{"type":"AssumedRole","principalId":"AROA%016d:i-%017x","arn":"arn:aws:sts::111122223333:assumed-role/role-%d/i-%017x","accountId":"111122223333","accessKeyId":"ASIA%07d%09d","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA%016d","arn":"arn:aws:iam::111122223333:role/role-%d","accountId":"111122223333","userName":"role-%d"},"webIdFederationData":{},"attributes":{"creationDate":"%s","mfaAuthenticated":"false"},"ec2RoleDelivery":"2.0"}}`,
			key, key, key, key, born.Unix()/21600, key, key, key, key, born.Format(time.RFC3339))
	}
	failure := ""
	if random.IntN(50) == 0 {
		failure = `"errorCode":"AccessDenied","errorMessage":"Access Denied",`
	}
	fmt.Fprintf(w, `{"eventVersion":"1.11","userIdentity":%s,"eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"203.0.%d.%d","userAgent":"%s",%s`,
		identity, at.Format(time.RFC3339), pick("GetObject", "GetObject", "GetObject", "HeadObject", "PutObject", "ListObjects"), key%200, random.IntN(250),
		agent, failure)
	fmt.Fprintf(w, `"requestParameters":{"bucketName":"%[1]s","Host":"%[1]s.s3.eu-west-1.amazonaws.com","key":"%[2]s"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"SSEApplied":"SSE_S3","AuthenticationMethod":"%[3]s","x-amz-id-2":"RBVZE1aP5ZIWKUdG1hjRObcaPvsi1R4sMQr7GV+WPWocwL/I0cZVMkXnNBc55YA7mS056DtQ%08[4]x","bytesTransferredOut":%[5]d},`,
		bucket, object, signed, random.Uint32(), random.IntN(1<<24))
	fmt.Fprintf(w, `"requestID":"%016X","eventID":"%08x-26ab-4b1b-8f54-%012x","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::%[4]s/%[5]s"},{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%[4]s"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"%[4]s.s3.eu-west-1.amazonaws.com"}}`,
		random.Uint64(), random.Uint32(), random.Int64N(1<<48), bucket, object)
}
