package postgres

// PersonalColumns are the columns by which rows name people.
func PersonalColumns() (all []string) {
	for _, of := range personal {
		all = append(all, of.by...)
	}
	return all
}
