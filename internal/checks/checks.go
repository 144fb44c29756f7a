// Package checks puts the doctor's checks together with what reads AWS for them: one list for the daily function and for the command.
package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/doctor"
	"nightlatch/internal/doctor/awsstack"
	"nightlatch/internal/enroll/s3bucket"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/trailbucket"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/settings"
	"nightlatch/internal/trail/cloudtrail"
)

// Deployment is what is checked, and by whom.
type Deployment struct {
	// Stack is the stack, by its name or its id, in Account and Region.
	Stack, Account, Region string
	// Memory is what the daily function remembers, and Table where the incidents are.
	Memory doctor.Memory
	// Hearing reads what the function that tells of tampering has left behind.
	Hearing doctor.HearingRead
	// Tried reads what became of the last test of each channel.
	Tried doctor.TriedRead
	// Rehearsed reads what the rehearsals remember.
	Rehearsed doctor.RehearsalRead
	// Policy reads the policy that is judged. Without it, the shipped one is, where that was deployed, or what the daily function found is said again.
	Policy doctor.PolicyRead
	// Incidents are those of the deployment.
	Incidents doctor.Incidents
	// Engines are asked, over the minute that begins at Minute. Without any, what the daily function has found is said again, as only the functions
	// may ask, and the users are gone through, which only a human may read.
	Engines []evidence.Trail
	Minute  time.Time
}

// Of are the checks, in their order. It makes no call to AWS.
func Of(cfg aws.Config, d Deployment) ([]doctor.Check, error) {
	reader, err := awsstack.New(cfg, d.Stack)
	if err != nil {
		return nil, err
	}
	trails, err := cloudtrail.New(cfg)
	if err != nil {
		return nil, err
	}
	metered, err := s3bucket.New(cfg)
	if err != nil {
		return nil, err
	}
	deployed := doctor.Once(reader)
	subscriptions := func(ctx context.Context, arn string) ([]notify.Subscription, error) {
		topic, err := sns.New(cfg, arn)
		if err != nil {
			return nil, err
		}
		return topic.Subscriptions(ctx)
	}
	all := []doctor.Check{
		doctor.Buckets(deployed, metered, reader.Measured, d.Region, with(doctor.BucketsName)...),
		doctor.Endpoints(deployed, subscriptions, with(doctor.EndpointsName)...),
		doctor.Alarms(deployed, reader.Alarms, with(doctor.AlarmsName)...),
		doctor.Thresholds(deployed, reader.Sizes, with(doctor.ThresholdsName)...),
		doctor.Queues(deployed, reader.Queue, with(doctor.QueuesName)...),
		doctor.Rules(deployed, reader.Rule, with(doctor.RulesName)...),
		doctor.Notices(d.Hearing, time.Now),
		doctor.Observe(deployed, time.Now, with(doctor.ObserveName)...),
		doctor.Delivery(d.Incidents, time.Now, grants[doctor.DeliveryName]...),
		doctor.Tests(deployed, d.Tried, time.Now, with(doctor.TestsName)...),
		doctor.Rehearsal(deployed, d.Rehearsed, time.Now, with(doctor.RehearsalName)...),
		doctor.Roles(deployed, reader.Role, with(doctor.RolesName)...),
		doctor.Rights(deployed, reader.Right, d.Account, d.Region, with(doctor.RightsName)...),
		doctor.Functions(deployed, reader.Resource, with(doctor.FunctionsName)...),
		doctor.TableOf(deployed, reader.Resource, with(doctor.TableName)...),
		doctor.Schedules(deployed, reader.Resource, with(doctor.SchedulesName)...),
		doctor.Storage(deployed, reader.Resource, with(doctor.StorageName)...),
		doctor.Trail(deployed, trails, d.Account, d.Region, time.Now, with(doctor.TrailName)...),
	}
	if d.Policy != nil {
		all = append(all, doctor.Policy(deployed, d.Policy, with(doctor.PolicyName)...))
	} else {
		all = append(all, doctor.PolicyLately(deployed, d.Memory, time.Now, with(doctor.PolicyName)...))
	}
	sealed := func(ctx context.Context, location string, stated bool) (evidence.Seal, error) {
		bucket, err := trailbucket.New(cfg, trailbucket.Settings{Location: location, Accounts: []string{d.Account}, Stated: stated})
		if err != nil {
			return evidence.Seal{}, err
		}
		return bucket.Seal(ctx), nil
	}
	all = append(all, doctor.Seal(deployed, trails, sealed, with(doctor.SealName)...))
	if len(d.Engines) == 0 {
		return append(all, doctor.Lately(doctor.AccessName, d.Memory, time.Now), doctor.Machines(deployed, reader.Users, reader.Tags, time.Now, with(doctor.MachinesName)...),
			doctor.Lately(doctor.QuestionsName, d.Memory, time.Now), doctor.Beats(deployed, d.Memory, time.Now)), nil
	}
	return append(all, doctor.Access(deployed, trails, access(cfg, d), d.Account, with(doctor.AccessName)...), doctor.Questions(d.Engines, d.Minute)), nil
}

// access tries to read a trail's files, and says what their owner has to add where that is refused.
func access(cfg aws.Config, d Deployment) doctor.AccessRead {
	return func(ctx context.Context, location, partition string, roles []string) (doctor.Read, error) {
		bucket, err := trailbucket.New(cfg, trailbucket.Settings{Location: location, Accounts: []string{d.Account}})
		if err != nil {
			return doctor.Read{}, err
		}
		name, folder, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
		reader := trailbucket.Reader{Partition: partition, Account: d.Account, Roles: roles, Bucket: "arn:" + partition + ":s3:::" + name, Folder: folder, Accounts: []string{d.Account}}
		files, err := bucket.Access(ctx, d.Region, time.Now())
		return doctor.Read{Files: files, OfBucket: statements(reader.OfBucket()), OfKey: statements(reader.OfKey())}, err
	}
}

// statements is a list of statements as it goes into a policy.
func statements(all []trailbucket.Statement) string {
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // it is lists of texts
	}
	return string(text)
}

// Proposals are doctor.Proposals of what S3's metrics say now of the watched buckets, whose request metrics have the id filter.
func Proposals(ctx context.Context, cfg aws.Config, stack, filter string, watched []settings.Bucket) ([]string, error) {
	reader, err := awsstack.New(cfg, stack)
	if err != nil {
		return nil, err
	}
	sizes, err := reader.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	named := map[time.Duration][]string{}
	for _, b := range watched {
		for _, t := range b.Thresholds {
			if b.Name != settings.EveryBucket {
				named[t.Period] = append(named[t.Period], b.Name)
			}
		}
	}
	busiest := map[time.Duration]map[string]int64{}
	for period, buckets := range named {
		if busiest[period], err = reader.Busiest(ctx, filter, buckets, period); err != nil {
			return nil, err
		}
	}
	return doctor.Proposals(watched, sizes, busiest), nil
}

// grants are the rights of each check, beside reading the stack. The team's topic and a second one are the stack's own.
var grants = map[string][]grant.Grant{
	doctor.EndpointsName:  onStack(sns.SubscriptionGrants(), "arn:${Partition}:sns:${Region}:${Account}:${Stack}-*"),
	doctor.BucketsName:    s3bucket.ReadGrants(), // and those of thresholds
	doctor.AlarmsName:     awsstack.AlarmGrants(),
	doctor.ThresholdsName: awsstack.SizeGrants(),
	doctor.QueuesName:     awsstack.QueueGrants(),
	doctor.RulesName:      awsstack.RuleGrants(),
	doctor.DeliveryName:   dynamo.DeliveryGrants(),
	doctor.TestsName:      dynamo.TestsGrants(),
	doctor.RehearsalName:  dynamo.SeeRehearsalGrants(),
	doctor.RolesName:      awsstack.RoleGrants(),
	doctor.RightsName:     awsstack.RightGrants(),
	doctor.FunctionsName:  awsstack.FunctionGrants(),
	doctor.TableName:      awsstack.TableGrants(),
	doctor.SchedulesName:  awsstack.GroupGrants(),
	doctor.StorageName:    awsstack.BucketGrants(),
	doctor.MachinesName:   awsstack.MachineGrants(), // the human's who runs the command, and not the function's
	doctor.TrailName:      slices.Concat(cloudtrail.Grants(), cloudtrail.StoreGrants()),
	doctor.SealName:       slices.Concat(cloudtrail.Grants(), trailbucket.Grants()),
	doctor.AccessName:     slices.Concat(cloudtrail.Grants(), trailbucket.AccessGrants(true, false)),
}

// onStack puts grants on the stack's own resources, whose names begin as its.
func onStack(all []grant.Grant, pattern string) []grant.Grant {
	for i := range all {
		all[i].On, all[i].Why = []string{pattern}, "It reads what is of its own stack, whose names CloudFormation ends as it likes."
	}
	return all
}

// with are a check's rights.
func with(name string) []grant.Grant { return slices.Concat(awsstack.StackGrants(), grants[name]) }

// Evidence says what of a deployment's evidence there is to read: a trail and a store, the bucket of the trail's files, and whether it is tried to read
// them, as of a bucket that the stack has not made. Management says that there is another trail, with the management events, and ManagementTrail that it
// is looked up.
type Evidence struct{ Trail, Store, Files, Access, Management, ManagementTrail bool }

// Grants are the rights of all checks, each once.
func Grants(e Evidence) []grant.Grant {
	all := awsstack.StackGrants()
	for _, name := range []string{doctor.BucketsName, doctor.EndpointsName, doctor.AlarmsName, doctor.ThresholdsName, doctor.QueuesName, doctor.RulesName, doctor.DeliveryName, doctor.TestsName, doctor.RehearsalName, doctor.RolesName,
		doctor.RightsName, doctor.FunctionsName, doctor.TableName, doctor.SchedulesName, doctor.StorageName} {
		all = append(all, grants[name]...)
	}
	trails, seals := cloudtrail.Grants(), trailbucket.Grants()
	if e.ManagementTrail {
		trails[0].On = append(trails[0].On, "${ManagementTrail}")
	}
	if e.Management {
		seals[0].On = append(seals[0].On, "${ManagementBucket}")
	}
	for _, of := range []struct {
		is     bool
		grants []grant.Grant
	}{{e.Trail || e.ManagementTrail, trails}, {e.Files, seals}, {true, trailbucket.AccessGrants(e.Access, e.Management)}, {e.Store, cloudtrail.StoreGrants()}} {
		if of.is {
			all = append(all, of.grants...)
		}
	}
	return all
}

// memory is a table as doctor.Memory.
type memory struct{ table *dynamo.Store }

// Memory keeps what the checks remember in the table of incidents.
func Memory(table *dynamo.Store) doctor.Memory { return memory{table} }

// Load implements doctor.Memory. What does not decode is nothing, and all is told again.
func (m memory) Load(ctx context.Context) (doctor.Kept, error) {
	body, version, err := m.table.Doctor(ctx)
	if err != nil {
		return doctor.Kept{}, err
	}
	var kept doctor.Kept
	if json.Unmarshal([]byte(body), &kept) != nil {
		kept = doctor.Kept{}
	}
	kept.Version = version
	return kept, nil
}

// Save implements doctor.Memory.
func (m memory) Save(ctx context.Context, kept doctor.Kept) error {
	body, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("what the checks remember: %v", err)
	}
	return m.table.SetDoctor(ctx, string(body), kept.Version)
}

// Hearing reads from the table of incidents what the function that tells of tampering has left behind.
func Hearing(table *dynamo.Store) doctor.HearingRead {
	return func(ctx context.Context) (doctor.Hearing, error) {
		_, body, err := table.Notices(ctx)
		if err != nil || body == nil {
			return doctor.Hearing{}, err
		}
		var s notices.State
		if err := json.Unmarshal(body, &s); err != nil {
			return doctor.Hearing{}, fmt.Errorf("what is to be told: what is stored does not decode: %v", err)
		}
		return doctor.Hearing{Ticked: s.Ticked, Unsent: s.Unsent()}, nil
	}
}

// Tried reads from the table of incidents what became of the last test of each channel.
func Tried(table *dynamo.Store) doctor.TriedRead {
	return func(ctx context.Context) (map[string]notify.Tried, error) {
		body, err := table.Tests(ctx)
		if err != nil || body == "" {
			return nil, err
		}
		var tried map[string]notify.Tried
		if err := json.Unmarshal([]byte(body), &tried); err != nil {
			return nil, fmt.Errorf("what became of the channels' tests: what is stored does not decode: %v", err)
		}
		return tried, nil
	}
}

// Rehearsed reads from the table of incidents what the rehearsals remember.
func Rehearsed(table *dynamo.Store) doctor.RehearsalRead {
	return func(ctx context.Context) (rehearsal.State, error) {
		body, version, err := table.Rehearsal(ctx)
		if err != nil {
			return rehearsal.State{}, err
		}
		return rehearsal.Decode(body, version)
	}
}
