/** The order and the search of the list, for the page, which knows no database. */
export {
  folded,
  groupOf,
  type InstanceGroup,
  listNames,
  rankOf,
  searchWords,
} from "#db/listOrder.ts";
