package jobs

import "strings"

// ClassName makes the name people read of a class's key: "017.Cardinal" → "Cardinal",
// "Black_footed_Albatross" → "Black footed Albatross". A key without a number or underscores stays as it is.
func ClassName(key string) string {
	name := key
	if number, rest, found := strings.Cut(key, "."); found && rest != "" && strings.Trim(number, "0123456789") == "" {
		name = rest
	}
	return strings.TrimSpace(strings.ReplaceAll(name, "_", " "))
}
