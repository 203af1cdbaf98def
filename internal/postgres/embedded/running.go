package embedded

// DSNOf is the address of the server that a studio runs on c's data folder, for a command beside it
// (Start returns ErrInUse then). Whether it answers shows when it is used.
func DSNOf(c Config) (string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return "", err
	}
	return dsn(c.socketDir(), c.Database), nil
}
