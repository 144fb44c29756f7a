package grant

import (
	"strings"
	"testing"
)

func TestWhatIsDeniedIsNamedAndWhatOthersWroteIsEscaped(t *testing.T) {
	for said, want := range map[string]string{
		"": `the function's role may not call iam:GetUser on user "mara"; grant it, or see which policy denies it`,
		"User: arn:aws:sts::111122223333:assumed-role/Nightlatch/x is not authorized to perform: iam:GetUser on resource: user mara because no identity-based policy allows the iam:GetUser action": `the function's role may not call iam:GetUser on user "mara" (AWS: "iam:GetUser on resource: user mara because no identity-based policy allows the iam:GetUser action"); grant it, or see which policy denies it`,
		"You are not welcome": `the function's role may not call iam:GetUser on user "mara" (AWS: "You are not welcome"); grant it, or see which policy denies it`,
	} {
		if got := Denied("iam:GetUser", `user "mara"`, said); got.Error() != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
	}
	hostile := Denied("iam:GetUser", "x", "User: a is not authorized to perform: iam:GetUser on resource: \"\x1b[2J\n\u202eevil").Error()
	if !strings.Contains(hostile, `on resource: \"\x1b[2J\n\u202eevil"); grant it`) || strings.ContainsAny(hostile, "\x1b\n\u202e") {
		t.Errorf("got %q", hostile)
	}
}
