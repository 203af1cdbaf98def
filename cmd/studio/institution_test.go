package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// Settings of an institution are refused at the start where they could let in the wrong people, or nobody.
func TestInstitutionSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := institutionFlags{Issuer: "https://login.example.org/realm", Client: "studio", SecretFile: file, Groups: []string{"cn=it,ou=uni=admin", " ", "birds=birds:lead"}, GroupsClaim: "groups"}
	i, client, err := good.open()
	if err != nil || client == nil || i.Name != "login.example.org" || len(i.Groups) != 2 ||
		i.Groups[0] != (annotator.GroupRole{Group: "cn=it,ou=uni", Role: annotator.RoleAdmin}) || i.Groups[1] != (annotator.GroupRole{Group: "birds", Project: "birds", Role: annotator.RoleLead}) {
		t.Errorf("%+v, %v", i, err)
	}
	if secret, err := good.secret(); err != nil || secret != "of a file" {
		t.Errorf("the secret is %q, %v", secret, err)
	}
	if i, client, err := (institutionFlags{}).open(); i != nil || client != nil || err != nil {
		t.Errorf("without settings: %v, %v", i, err)
	}
	for want, change := range map[string]func(*institutionFlags){
		"is not https":         func(f *institutionFlags) { f.Issuer = "http://login.example.org" },
		"is no address":        func(f *institutionFlags) { f.Issuer = "login.example.org" },
		"needs a client id":    func(f *institutionFlags) { f.Client = "" },
		"lets nobody in":       func(f *institutionFlags) { f.Groups = nil },
		"neither GROUP=ROLE":   func(f *institutionFlags) { f.Groups = []string{"it"} },
		"role of it":           func(f *institutionFlags) { f.Groups = []string{"it=lead"} },
		"role of it in birds":  func(f *institutionFlags) { f.Groups = []string{"it=birds:admin"} },
		"the project of it":    func(f *institutionFlags) { f.Groups = []string{"it=Birds!:lead"} },
		"no such file":         func(f *institutionFlags) { f.SecretFile += "x" },
		"need --oidc-issuer, ": func(f *institutionFlags) { f.Issuer = "" },
	} {
		f := good
		change(&f)
		if _, _, err := f.open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
