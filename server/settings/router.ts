import { z } from "zod";
import { procedure, router } from "#server/api/trpc.ts";
import { addPerson, changePassword, listPeople, removePerson } from "#server/auth/people.ts";
import { revokeSessionsOf } from "#server/auth/sessions.ts";
import { emailProblem } from "#server/instances/inputs.ts";
import { checkConnections } from "./connections.ts";

const id = z.string().max(64);
const password = z.string().min(12, "Use at least 12 characters.").max(1024, "Use at most 1024 characters.");
const email = z
  .string()
  .trim()
  .superRefine((value, context) => {
    const message = emailProblem(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

export const settingsRouter = router({
  connections: procedure.query(({ ctx: { web } }) => checkConnections(web)),
  people: procedure.query(({ ctx: { web } }) => ({ people: listPeople(web.db, Date.now()) })),
  addPerson: procedure
    .input(z.object({ email, name: z.string().trim().min(1, "Enter a name.").max(100), password }))
    .mutation(({ ctx: { web, user }, input }) => addPerson(web.db, input, user.email)),
  removePerson: procedure
    .input(z.object({ id }))
    .mutation(({ ctx: { web, user }, input }) => removePerson(web.db, input.id, user.email)),
  endSessions: procedure
    .input(z.object({ id }))
    .mutation(({ ctx: { web }, input }) => revokeSessionsOf(web.db, input.id, Date.now())),
  changePassword: procedure
    .input(z.object({ current: z.string().max(1024), next: password }))
    .mutation(({ ctx: { web, user }, input }) => changePassword(web.db, user, input)),
});
