package oidc

import "strings"

// claims are what a provider says of a person, in the ID token and at its userinfo address.
type claims map[string]any

func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return strings.TrimSpace(s)
}

// verified reports whether the provider says that the address is the person's, and whether it says anything. Some providers write the
// truth value as a text.
func (c claims) verified() (yes, said bool) {
	switch v := c["email_verified"].(type) {
	case bool:
		return v, true
	case string:
		return v == "true", true
	}
	return false, false
}

// at finds a claim by its name, or by a path into objects: "realm_access.roles". A name may have points itself, as addresses do.
func (c claims) at(name string) any {
	if v, there := c[name]; there {
		return v
	}
	v := any(map[string]any(c))
	for part := range strings.SplitSeq(name, ".") {
		object, is := v.(map[string]any)
		if !is {
			return nil
		}
		v = object[part]
	}
	return v
}

// groups are the texts of a claim that is a list, or one text.
func (c claims) groups(name string) []string {
	switch v := c.at(name).(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			if s, is := item.(string); is {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
