package oidc

import (
	"encoding/json"
	"slices"
	"testing"
)

// Providers list groups in many ways, and write truth values as texts.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said, at string
		want     []string
	}{
		{`{"groups": ["a", "b", 3, null]}`, "groups", []string{"a", "b"}},
		{`{"groups": "a"}`, "groups", []string{"a"}},
		{`{"realm_access": {"roles": ["a"]}}`, "realm_access.roles", []string{"a"}},
		{`{"https://uni.example/groups": ["a"], "https://uni": {"example/groups": ["b"]}}`, "https://uni.example/groups", []string{"a"}},
		{`{"groups": {"a": true}}`, "groups", nil},
		{`{"groups": ["a"]}`, "groups.a", nil},
		{`{}`, "groups", nil},
	} {
		said := claims{}
		if err := json.Unmarshal([]byte(c.said), &said); err != nil {
			t.Fatal(err)
		}
		if got := said.groups(c.at); !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %q, want %q", c.at, c.said, got, c.want)
		}
	}
	for said, want := range map[string][2]bool{
		`{"email_verified": true}`: {true, true}, `{"email_verified": "true"}`: {true, true}, `{"email_verified": "false"}`: {false, true},
		`{"email_verified": false}`: {false, true}, `{"email_verified": 1}`: {false, false}, `{}`: {false, false},
	} {
		c := claims{}
		if err := json.Unmarshal([]byte(said), &c); err != nil {
			t.Fatal(err)
		}
		if yes, told := c.verified(); yes != want[0] || told != want[1] {
			t.Errorf("%s: %t, %t", said, yes, told)
		}
	}
}
