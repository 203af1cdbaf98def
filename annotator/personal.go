package annotator

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// PersonalStore reads and removes what the studio holds of a person.
type PersonalStore interface {
	// PersonalData hands over the rows that name a person, of one moment: kind by kind, each row as a JSON object. A kind without rows
	// is handed over once, with a nil row.
	PersonalData(ctx context.Context, userID int64, row func(kind string, row []byte) error) error
	// RemovePerson replaces a person's name wherever it stands, and their addresses by one that nobody has. Tokens go, with what they were
	// called. Tasks that the person holds, or that wait for them, are given to everybody, in closed projects too. It keeps others from
	// adding rows under the old name meanwhile.
	RemovePerson(ctx context.Context, userID int64, pseudonym string, at time.Time) (User, error)
}

// pseudonym is what a removed person is called.
func pseudonym(id int64) string { return fmt.Sprintf("Former member %d", id) }

// PersonalDataName is what the file of PersonalData is called.
func PersonalDataName(userID int64) string { return fmt.Sprintf("person-%d.json", userID) }

// PersonalData writes all that the studio holds of a person as one JSON document (an admin of anybody, everybody of themself): the
// account, tokens without their secrets, and of each kind of row that names the person the rows and their count. Maps are named by their
// edits and not in it: exports have them. It is written while it is read.
func (s *Service) PersonalData(ctx context.Context, actor User, userID int64, w io.Writer) error {
	user, err := s.Person(ctx, actor, userID)
	if err != nil {
		return err
	}
	if err := s.audit(ctx, s.store, actor, nil, "export.person", userSubject(userID), ""); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	account, err := json.Marshal(user)
	if err != nil {
		return fmt.Errorf("describing user %d: %w", userID, err)
	}
	fmt.Fprintf(out, "{\"at\": %q,\n\"account\": %s", s.now().UTC().Format(time.RFC3339), account)
	kind, count := "", 0
	end := func() {
		if kind != "" {
			fmt.Fprintf(out, "],\n  \"count\": %d}", count)
		}
	}
	err = s.store.PersonalData(ctx, userID, func(of string, row []byte) error {
		if of != kind {
			end()
			kind, count = of, 0
			fmt.Fprintf(out, ",\n%q: {\"rows\": [", of)
		}
		if row == nil {
			return nil
		}
		if count++; count > 1 {
			fmt.Fprint(out, ",")
		}
		fmt.Fprint(out, "\n    ")
		_, err := out.Write(row)
		return err
	})
	if err != nil {
		return err
	}
	end()
	fmt.Fprint(out, "\n}\n")
	return out.Flush()
}

// RemovePerson ends a person's account for good (admin), after their e-mail address was typed, or the name of somebody who has no
// account: nobody signs in with it again, tokens are worth nothing, what they hold or should change is everybody's, and a pseudonym
// stands for their name and addresses everywhere. What they made and judged stays, under the same number, as does the trail. The last
// admin stays. An account that is only disabled (ChangeUser) can be enabled again.
func (s *Service) RemovePerson(ctx context.Context, actor User, userID int64, typed string) (User, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return User{}, err
	}
	var user User
	err := s.store.InTx(ctx, func(tx Store) error {
		admins, err := tx.LockAdmins(ctx) // who changes a person does it, too: one after the other
		if err != nil {
			return err
		}
		if user, err = tx.User(ctx, userID); err != nil {
			return err
		}
		switch typed = strings.TrimSpace(typed); {
		case user.RemovedAt != nil:
			return Conflict("%s was removed already", user.Name)
		case user.Generator && typed != user.Name:
			return &ValidationError{Field: "email", Message: "type the name, " + user.Name}
		case !user.Generator && !strings.EqualFold(typed, user.Email):
			return &ValidationError{Field: "email", Message: "type the person's e-mail address, " + user.Email}
		}
		if err := keepsAnAdmin(admins, user); err != nil {
			return err
		}
		if _, err = s.endSessions(ctx, tx, actor, userID, 0, ""); err != nil {
			return err
		}
		if user, err = tx.RemovePerson(ctx, userID, pseudonym(userID), s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "user.remove", fmt.Sprintf("user %d", userID), "")
	})
	if err != nil {
		return User{}, fmt.Errorf("removing user %d: %w", userID, err)
	}
	return user, nil
}

// keepsAnAdmin refuses to lose the last of the admins who can sign in.
func keepsAnAdmin(admins []int64, leaving User) error {
	if len(admins) == 1 && admins[0] == leaving.ID {
		return fmt.Errorf("%w: %s is the last admin; make somebody else one first", ErrConflict, leaving.Name)
	}
	return nil
}
