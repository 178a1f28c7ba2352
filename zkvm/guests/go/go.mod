module tapestry.local/guests

go 1.19
